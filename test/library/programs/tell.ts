/** One line for the test that started this program. */
export const tell = (fact: unknown): void => console.log(JSON.stringify(fact));

export const text = (bytes: Uint8Array | null | undefined): string => new TextDecoder().decode(bytes ?? undefined);
