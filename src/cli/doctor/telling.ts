import { unreachable } from "../../errors.ts";
import type { Colour, Paint } from "../render/colour.ts";
import { table, type Screen } from "../render/table.ts";
import type { Finding } from "./finding.ts";
import { isKept, type Proof, type Verdict } from "./prove.ts";

/** The findings, one to a line, each with what to do below it. */
export function findingLines(findings: readonly Finding[], { paint }: Screen): string {
  const width = Math.max(...findings.map(({ name }) => name.length)) + 2;
  const lines = findings.map(({ name, verdict, what, hint }) => {
    const said = hint === undefined ? "" : `\n${" ".repeat(7 + width)}${hint}`;
    return `${paint(verdict.padEnd(7), colourOf(verdict))}${name.padEnd(width)}${what}${said}\n`;
  });
  return lines.join("");
}

function colourOf(verdict: Finding["verdict"]): Colour {
  switch (verdict) {
    case "ok":
      return "green";
    case "note":
      return "yellow";
    case "wrong":
      return "red";
    default:
      return unreachable(verdict);
  }
}

/** A line for each shape, a column for each rung; below it what does not fit in. */
export function proofTable(proofs: readonly Proof[], screen: Screen): string {
  const rungs = [...new Set(proofs.map(({ rung }) => rung))];
  const names = [...new Set(proofs.map(({ shape }) => shape.name))];
  const rows = names.map((name) => {
    const ofShape = proofs.filter(({ shape }) => shape.name === name);
    return [
      name,
      ...rungs.map((rung) =>
        cellOf(
          ofShape.find((proof) => proof.rung === rung),
          screen.paint,
        ),
      ),
    ];
  });
  const remarks = new Set(proofs.flatMap((proof) => remarkOn(proof) ?? []));
  const told = [...remarks].map((remark) => `${remark}\n`).join("");
  return table(["A JOB WITH", ...rungs.map((rung) => rung.toUpperCase())], rows, screen) + (told && `\n${told}`);
}

function cellOf(proof: Proof | undefined, paint: Paint): string {
  if (!proof) return "";
  const text = cellText(proof.verdict);
  if (!isKept(proof)) return paint(text, "red");
  return paint(text, proof.verdict.kind === "dies" ? "green" : "yellow");
}

function cellText(verdict: Verdict): string {
  switch (verdict.kind) {
    case "dies":
      return "dies";
    case "left":
      return `left ${verdict.pids.length} (pid ${verdict.pids.slice(0, MOST_PIDS).join(", ")}${verdict.pids.length > MOST_PIDS ? ", …" : ""})`;
    case "denied":
      return "dies, unnoticed";
    case "unformed":
      return "did not stand";
    case "cannot":
      return "cannot here";
    default:
      return unreachable(verdict);
  }
}

const MOST_PIDS = 3;

function remarkOn({ shape, rung, verdict }: Proof): string | null {
  switch (verdict.kind) {
    case "dies":
      return null;
    case "left":
      return `${rung}: ${shape.name}: ${shape.escapes?.[rung] ?? "should have died"}; ${LATER[verdict.later]}`;
    case "denied":
      return `${rung}: ${shape.name}: ${verdict.said}`;
    case "unformed":
      return `${rung}: ${shape.name}: nothing was shown, since it did not take its form in time; is the machine busy?`;
    case "cannot":
      return `${rung}: cannot here: ${verdict.why}`;
    default:
      return unreachable(verdict);
  }
}

const LATER = { ended: "so it did", left: "it did not die then either, and was killed by hand" } as const;
