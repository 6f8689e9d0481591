/** A part of the help, as the parser hands it over. */
export interface HelpSection {
  title?: string;
  body: string;
}

/** Leaves out what repeats the usage, or is not so: a switch like `--no-color` has no default. */
export function tidyHelp(sections: readonly HelpSection[], description: string | undefined): HelpSection[] {
  const kept = sections.filter(({ title }) => !title?.startsWith("For more info"));
  const tidy = kept.map(({ title, body }) => ({
    ...(title !== undefined && { title }),
    body: body
      .replaceAll(/ *\(default: true\)/g, "")
      .replace("Display this message", "show this")
      .replaceAll(/[ ]+$/gm, ""),
  }));
  const [, ...withoutName] = tidy;
  return description === undefined ? withoutName : [{ body: description }, ...withoutName];
}
