// Starts the mock of Twilio that is the npm package `emulate`, until standard input ends.
//
//     node mock.mjs FOLDER SEED     FOLDER: where `npm install emulate` was run; SEED: its configuration as JSON
//
// Its first line on standard output is its URL.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, seed] = process.argv.slice(2);
const module = join(folder, "node_modules", "emulate", "dist", "api.js");
const { createEmulator } = await import(pathToFileURL(module));
const port = Number(process.env.PORT);
const twilio = await createEmulator({ service: "twilio", port, seed: JSON.parse(seed) });
console.log(twilio.url);
process.stdin.resume();
process.stdin.on("end", () => twilio.close().then(() => process.exit()));
