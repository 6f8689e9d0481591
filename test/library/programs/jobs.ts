import { defineJob, Release } from "reeve";

export const greet = defineJob({
  params: { who: "string", times: { type: "integer", default: 1 } },
  async run({ params, message, attempt, log, progress }) {
    await progress(0.5, "half way");
    await log(`greets ${params.who}`);
    if (params.who === "nobody" && attempt === 1) throw new Release(0, "nobody is there");
    console.log(`from process ${process.pid}`);
    return { said: `hello ${params.who}`.repeat(params.times), body: message.body };
  },
});

export const fail = defineJob({
  run() {
    throw new Error("it does that");
  },
});
