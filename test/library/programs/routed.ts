import { defineJob, type Route } from "reeve";

export const shout = defineJob({
  params: { text: "string" },
  run: ({ params }) => params.text.toUpperCase(),
});

export const whisper = defineJob({
  params: { text: "string" },
  run: ({ params }) => params.text.toLowerCase(),
});

export const route: Route = ({ attributes, body }) => ({
  job: attributes["kind"] === "loud" ? shout : whisper,
  params: { text: body },
});
