import type { Definition } from "../config/definition.ts";
import type { Body } from "../config/message-body.ts";
import type { GivenParameter } from "../config/parameters.ts";
import type { MessageRoutes, RouteAnswer } from "../config/message-route.ts";
import { JOB_ATTRIBUTE, type Incoming, type Routed, type Router } from "../config/routing.ts";
import { withoutCase } from "../config/template.ts";
import type { Content, Parameter } from "../store/job.ts";
import type { MakeJob } from "../store/deliveries.ts";
import { attributeText, type ReceivedMessage } from "./sqs/message.ts";

/** What a message says, as far as jobs can use it: attributes as texts, the system's own with them. */
export function incomingOf({ attributes, systemAttributes }: ReceivedMessage, body: Body): Incoming {
  const texts = [...attributes].map(([name, value]) => [name, attributeText(value)] as const);
  // The system's last: no sender can claim to be another.
  return { body, attributes: Object.fromEntries([...texts, ...systemAttributes]) };
}

/** Asks modules whose a message is; null: it says that itself. */
export function askAbout(
  message: ReceivedMessage,
  body: Content,
  routes: MessageRoutes,
  router: Router,
): Promise<RouteAnswer> | null {
  const incoming = incomingOf(message, body);
  if (!router.isAsked(incoming)) return null;
  return routes.decide({ ...incoming, id: message.id, receiveCount: message.receiveCount }, router.hasDefault);
}

/** The id that the sender gave its job; null: none. */
export function jobIdOf({ attributes }: ReceivedMessage): string | null {
  const value = attributes.get(JOB_ATTRIBUTE);
  return value && "text" in value ? value.text : null;
}

/** Makes the job of a message that is new here. */
export function jobMaker(incoming: Incoming, routed: Routed, definition: Definition | null): MakeJob {
  const parameters = routed.kind === "job" ? routed.parameters : [];
  const chosen = routed.kind === "job" ? routed.chosen : undefined;
  return (id, retryOf) => ({
    id,
    retryOf,
    definition: routed.kind === "unroutable" ? null : routed.definition,
    context: { kind: "definition", ...(chosen?.onExit !== undefined && { onExit: chosen.onExit }) },
    command: null,
    parameters: parametersOf(parameters, definition),
    attributes: incoming.attributes,
    body: incoming.body,
    runId: chosen?.label ?? null,
    owner: null,
    priority: 0,
    executionDuration: definition?.limits.executionDuration ?? 0,
    availableAt: null,
    expiresAt: null,
    destruction: null,
    hold: false,
    after: [],
    dedupeKey: null,
  });
}

/** As they are recorded: what is given more than once is a list. They are checked when the job is planned. */
function parametersOf(given: readonly GivenParameter[], definition: Definition | null): Parameter[] {
  return [...Map.groupBy(given, ({ name }) => name.toLowerCase()).values()].map((ofOne) => {
    const name = ofOne[0]?.name ?? "";
    const declared = definition ? withoutCase(definition.parameters, name) : undefined;
    return { name, values: ofOne.map(({ value }) => value), file: false, secret: declared?.secret ?? false };
  });
}
