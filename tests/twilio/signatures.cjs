// Whether a provider's own Node library takes requests for the provider's: a JSON object a line in, a word a line out.
// node signatures.cjs LIBRARY TOKEN < CASES, with the library in NODE_PATH: twilio, or SignalWire's.

const readline = require("node:readline");

const [library, token] = process.argv.slice(2);
const exported = require(library);
const { validateRequest, validateRequestWithBody } = exported.RestClient ?? exported;
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { url, signature, pairs, body } = JSON.parse(line);
  let params = Object.create(null);
  for (const [name, value] of pairs ?? []) {
    params[name] = name in params ? [params[name], value].flat() : value;
  }
  const holds =
    body === undefined
      ? validateRequest(token, signature, url, params)
      : validateRequestWithBody(token, signature, url, body);
  console.log(holds);
});
