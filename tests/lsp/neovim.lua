-- Neovim with the configuration of docs/editors.md and no other: it opens a table, and gets what the server has to offer.
--
--     PATH=target/release:$PATH nvim --headless -u NONE -c "luafile tests/lsp/neovim.lua"
--
-- Prints a line for each thing that works, and ends with 1 at the first that does not.

local function finish(message, code)
  io.stdout:write(message .. "\n")
  vim.cmd(code == 0 and "qall!" or "cquit")
end

local function main()
  -- Debian 12 has 0.7.
  vim.lsp.start = vim.lsp.start or function(config)
    vim.lsp.buf_attach_client(0, vim.lsp.start_client(config))
  end
  local page = table.concat(vim.fn.readfile("docs/editors.md"), "\n")
  assert(loadstring(page:match("```lua\n(.-)\n```")))()

  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder)
  vim.fn.writefile({
    "[[route]]",
    'name = "hello"',
    'voice = [ { Say = "🙂🙂", langage = "en-US" } ]',
    "[default]",
    'voice = [ { Say = "Goodbye." } ]',
    "[[test]]",
    'name = "all"',
    'expect = "default"',
  }, folder .. "/responses.toml")
  vim.cmd("edit " .. folder .. "/responses.toml")

  local function works(what, is_so, found)
    if not is_so then
      error(what .. ": " .. vim.inspect(found))
    end
    io.stdout:write("neovim: " .. what .. "\n")
  end

  local function ask(method, more)
    local params = vim.tbl_extend("force", vim.lsp.util.make_position_params(0, "utf-16"), more or {})
    local answers = vim.lsp.buf_request_sync(0, method, params, 20000) or {}
    for _, answer in pairs(answers) do
      return answer.result
    end
  end

  local function codes()
    return vim.tbl_map(function(found) return found.code or found.user_data.lsp.code end, vim.diagnostic.get(0))
  end

  vim.wait(20000, function() return #vim.diagnostic.get(0) > 0 end, 50)
  local found = vim.diagnostic.get(0)
  works("diagnostics", vim.tbl_contains(codes(), "unknown-attribute"), found)
  local attribute = vim.tbl_filter(function(one) return one.message:find("langage") end, found)[1]
  -- Neovim counts bytes: the smiles have four each.
  works("its place behind emoji", attribute.lnum == 2 and attribute.col == 30, attribute)

  vim.api.nvim_win_set_cursor(0, { 3, attribute.col })
  local here = { line = 2, character = 28 }
  local actions = ask("textDocument/codeAction", { range = { start = here, ["end"] = here }, context = { diagnostics = {} } })
  vim.lsp.util.apply_workspace_edit(actions[1].edit, "utf-16")
  local line = vim.api.nvim_buf_get_lines(0, 2, 3, true)[1]
  works("a fix", line == 'voice = [ { Say = "🙂🙂", language = "en-US" } ]', line)
  vim.wait(20000, function() return not vim.tbl_contains(codes(), "unknown-attribute") end, 50)
  works("diagnostics after a change", not vim.tbl_contains(codes(), "unknown-attribute"), codes())

  local offers = ask("textDocument/completion")
  local labels = vim.tbl_map(function(item) return item.label end, offers.items)
  works("completion", vim.tbl_contains(labels, "language"), labels)
  local hover = ask("textDocument/hover")
  works("hover", hover.contents.value:find("language", 1, true), hover)
  vim.api.nvim_win_set_cursor(0, { 8, 12 })
  works("outline", #ask("textDocument/documentSymbol") == 3)
  local lenses = ask("textDocument/codeLens")
  works("verdicts", #lenses == 2 and lenses[2].command.title:find("^fails: "), lenses)
end

local is_good, message = pcall(main)
finish(is_good and "neovim: all of it works" or "neovim: " .. tostring(message), is_good and 0 or 1)
