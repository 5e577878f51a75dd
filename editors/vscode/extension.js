// Starts `twiml-responder lsp` for the tables of a workspace and the CSV files in it. Everything else is the server's work.

const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const settings = workspace.getConfiguration("twiml-responder");
  const server = { command: settings.get("path"), args: ["lsp"] };
  const documentSelector = [
    { scheme: "file", pattern: settings.get("tables") },
    { scheme: "file", pattern: "**/*.csv" },
  ];
  client = new LanguageClient("twiml-responder", server, { documentSelector });
  return client.start();
};

exports.deactivate = () => client?.stop();
