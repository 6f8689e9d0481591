import * as v from "valibot";
import type { MessagePlace, Route } from "./definition.ts";
import { issueAt, nonEmpty, optional, table, text } from "./schema-parts.ts";
import { readPlace } from "./template.ts";

/** Where in a message the value of a parameter is: `"body.a.b"`, `"attr.x"`. */
export const place = v.pipe(
  text(),
  v.rawTransform<string, MessagePlace>(({ dataset, addIssue, NEVER }) => {
    const read = readPlace(dataset.value);
    if (read !== null) return read;
    addIssue({ message: 'must be a field or an attribute of a message, such as "body.image.name" or "attr.tenant"' });
    return NEVER;
  }),
);

const field = v.pipe(
  text(),
  v.check(
    (name) => readPlace(`body.${name}`) !== null,
    'must be a field of a JSON body, such as "type" or "detail.type"',
  ),
);

const routeTable = table({ attribute: optional(nonEmpty), field: optional(field), equals: text() });

/** Which messages are a definition's. */
export const route = v.pipe(
  routeTable,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { attribute, field: inBody } = dataset.value;
    if (attribute === undefined && inBody === undefined) addIssue({ message: "needs an `attribute` or a `field`" });
    if (attribute !== undefined && inBody !== undefined)
      addIssue(issueAt({ path: ["field"], message: "leaves no use for `attribute`; keep one of them" }));
  }),
  v.transform(({ attribute, field: inBody = "", equals }): Route =>
    attribute === undefined ? { field: inBody, equals } : { attribute, equals },
  ),
);
