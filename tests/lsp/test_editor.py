"""`lsp` as three editors see it, through a client that is not ours and that holds each answer against the protocol's types.

    TWIML_RESPONDER=target/release/twiml-responder pytest tests/lsp

Needs the packages pytest-lsp and pytest.
"""

import os
import re
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

BINARY = os.environ.get("TWIML_RESPONDER", "target/release/twiml-responder")

TABLE = """\
[schedule.office]
timezone = "America/New_York"
open = ["Mon-Fri 09:00-17:30"]

[directory.sellers]
file = "sellers.csv"

[reply.sorry]
voice = [ { Say = "Sorry 🙂, we are closed." } ]

[[route]]
name = "seller-open"
when = { Called = { in = "sellers" }, Direction = "inbound" }
during = "office"
voice = [ { Say = "🙂🙂 {{ sellers.name }}" }, { Gather = "", numDigits = 1, action = "?step=key" } ]

[[route]]
name = "key"
step = "key"
when = { Digits = "1" }
reply = "sorry"

[[route]]
name = "other-key"
step = "key"
reply = "sorry"

[default]
voice = [ { Say = "Goodbye." } ]

[[test]]
name = "open"
request = { Called = "+15005550006", Direction = "inbound" }
at = "2026-12-02T12:00[America/New_York]"
expect = "seller-open"

[[test]]
name = "closed"
request = { Called = "+15005550006", Direction = "inbound" }
at = "2026-12-02T22:00[America/New_York]"
expect = "seller-open"
"""

pytestmark = pytest.mark.asyncio


@pytest_lsp.fixture(
    params=["visual-studio-code", "neovim", "emacs"],
    config=ClientServerConfig(server_command=[BINARY, "lsp", "--manual", "https://example.com/docs"]),
)
async def client(request, lsp_client: LanguageClient):
    capabilities = client_capabilities(request.param)
    await lsp_client.initialize_session(types.InitializeParams(capabilities=capabilities))
    yield
    await lsp_client.shutdown_session()


class Table:
    """A table that is open in the editor."""

    def __init__(self, client, folder):
        self.client = client
        self.uri = (folder / "responses.toml").as_uri()
        self.document = types.TextDocumentIdentifier(uri=self.uri)
        self.text = ""
        (folder / "sellers.csv").write_text("number,name\n+15005550006,Ann\n", encoding="utf-8")

    async def open(self, text=TABLE):
        self.text = text
        document = types.TextDocumentItem(uri=self.uri, language_id="toml", version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
        await self.client.wait_for_notification("textDocument/publishDiagnostics")
        return self

    def found(self):
        return {diagnostic.code: diagnostic for diagnostic in self.client.diagnostics[self.uri]}

    def position(self, byte):
        """A place as the protocol counts it: in UTF-16."""
        before = self.text[:byte].rsplit("\n", 1)[-1]
        return types.Position(line=self.text[:byte].count("\n"), character=len(before.encode("utf-16-le")) // 2)

    def at(self, pattern):
        """What the first group of a pattern begins with, as the parameters of a question."""
        found = re.search(pattern, self.text)
        return {"text_document": self.document, "position": self.position(found.start(1))}

    def cut(self, span):
        """The text in a range of one line."""
        line = self.text.split("\n")[span.start.line].encode("utf-16-le")
        return line[2 * span.start.character:2 * span.end.character].decode("utf-16-le")


@pytest.fixture
def table(client, tmp_path):
    return Table(client, tmp_path)


async def offers(table, text, cursor="‸"):
    """The labels that are offered at the cursor in a text, and the texts that they would write."""
    byte = text.index(cursor)
    await table.open(text.replace(cursor, ""))
    params = types.CompletionParams(text_document=table.document, position=table.position(byte))
    answer = await table.client.text_document_completion_async(params)
    return {item.label: item for item in answer.items}


async def test_a_failed_test_is_the_only_mistake_and_has_its_page(table):
    await table.open()
    found = table.found()
    assert set(found) == {"failed-test"}
    failed = found["failed-test"]
    assert failed.severity == types.DiagnosticSeverity.Error
    assert failed.code_description.href == "https://example.com/docs/diagnostics.md#failed-test"
    assert table.cut(failed.range) == '"seller-open"'


async def test_a_mistake_behind_emoji_is_mended_in_place(table):
    await table.open(TABLE.replace("numDigits", "numDigit"))
    diagnostic = table.found()["unknown-attribute"]
    assert table.cut(diagnostic.range) == "numDigit"
    context = types.CodeActionContext(diagnostics=[diagnostic])
    [action] = await table.client.text_document_code_action_async(
        types.CodeActionParams(text_document=table.document, range=diagnostic.range, context=context))
    [edit] = action.edit.changes[table.uri]
    assert (table.cut(edit.range), edit.new_text) == ("numDigit", "numDigits")
    change = types.TextDocumentContentChangePartial(range=edit.range, text=edit.new_text)
    version = types.VersionedTextDocumentIdentifier(uri=table.uri, version=2)
    table.client.text_document_did_change(types.DidChangeTextDocumentParams(text_document=version, content_changes=[change]))
    await table.client.wait_for_notification("textDocument/publishDiagnostics")
    assert set(table.found()) == {"failed-test"}


@pytest.mark.parametrize("line, label, written", [
    ("dur‸", "during", "during = "),
    ('during = "‸"', "office", "office"),
    ("when = { Cal‸ }", "Called", "Called = "),
    ("when = { sessionStatus = ‸ }", "in-progress", '"in-progress"'),
    ("voice = [ { Say = \"🙂\", lang‸ } ]", "language", "language = "),
    ("voice = [ { Say = \"{{ sellers.‸ }}\" } ]", "sellers.name", "sellers.name"),
    ("voice = [ { Say = \"🙂 {{ Caller | ‸", "spell", "spell"),
    ("voice = [ { Redirect = \"?step=‸\" } ]", "key", "key"),
    ("reply = ‸", "sorry", '"sorry"'),
])
async def test_what_may_stand_there_is_offered_in_an_unfinished_table(table, line, label, written):
    found = await offers(table, TABLE.replace("[default]", f'[[route]]\nname = "new"\n{line}\n\n[default]'))
    assert found[label].text_edit.new_text == written


async def test_a_parameter_is_explained_with_twilios_page(table):
    await table.open()
    hover = await table.client.text_document_hover_async(types.HoverParams(**table.at("(Direction)")))
    assert "https://www.twilio.com/docs/" in hover.contents.value
    assert table.cut(hover.range) == "Direction"


@pytest.mark.parametrize("pattern, definition, references", [
    (r'in = "(sellers)"', "sellers", 1),
    (r"sellers\.(name)", "name", 1),
    (r'during = "(office)"', "office", 1),
    (r'reply = "(sorry)"', "sorry", 2),
    (r"step=(key)", "key", 1),
    (r'expect = "(seller-open)"', "seller-open", 2),
])
async def test_a_name_leads_to_what_it_names_and_to_its_uses(table, pattern, definition, references):
    await table.open()
    at = table.at(pattern)
    found = await table.client.text_document_definition_async(types.DefinitionParams(**at))
    place = found[0]
    if place.uri == table.uri:
        assert table.cut(place.range) == definition
    else:
        assert place.uri.endswith("/sellers.csv") and place.range.start == types.Position(line=0, character=7)
    context = types.ReferenceContext(include_declaration=False)
    found = await table.client.text_document_references_async(types.ReferenceParams(context=context, **at))
    assert len(found) == references


async def test_the_outline_and_the_verdicts_name_routes_and_tests(table):
    await table.open()
    symbols = await table.client.text_document_document_symbol_async(
        types.DocumentSymbolParams(text_document=table.document))
    assert [symbol.name for symbol in symbols] == [
        "office", "sellers", "sorry", "seller-open", "key", "other-key", "default", "open", "closed"]
    lenses = await table.client.text_document_code_lens_async(types.CodeLensParams(text_document=table.document))
    titles = [lens.command.title for lens in lenses]
    assert titles[:4] == ["answers 1 test", "no test is answered by this", "no test is answered by this", "passes"]
    assert titles[4].startswith("fails: ") and "office" in titles[4]


async def test_a_directory_file_that_breaks_has_diagnostics_of_its_own(table, tmp_path):
    await table.open()
    uri = (Path(tmp_path) / "sellers.csv").as_uri()
    document = types.TextDocumentItem(uri=uri, language_id="csv", version=1, text="number,name\n1500555000x,Ann\n")
    table.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
    while not table.client.diagnostics.get(uri):
        await table.client.wait_for_notification("textDocument/publishDiagnostics")
    assert table.client.diagnostics[uri][0].code == "bad-number"
