// Whether Twilio's own Node library takes requests for Twilio's: a JSON object a line in, a word a line out.
// node signatures.cjs TOKEN < CASES, with the library in NODE_PATH.

const readline = require("node:readline");
const { validateRequest, validateRequestWithBody } = require("twilio");

const token = process.argv[2];
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
