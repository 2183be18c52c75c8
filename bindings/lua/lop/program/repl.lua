-- bindings/lua/lop/program/repl.lua - Lua line by line. On a terminal with history and completion; from a pipe the same
-- without prompts, with the exit status telling whether a line failed.

local core = require "lop.core"
local help = require "lop.program.help"
local pretty = require "lop.program.pretty"

local repl = {}

local HISTORY = 2000                    -- lines kept

-- ---- completion ----

local keywords = {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
                  "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"}

-- The tables in which a value's fields are found, without calling anything of the value's.
local function field_tables(value)
  local list = {}
  if type(value) == "table" then list[1] = value end
  local meta = debug.getmetatable(value)
  local index = type(meta) == "table" and rawget(meta, "__index")
  for _ = 1, 8 do                       -- a chain may be a ring
    if type(index) ~= "table" then break end
    list[#list + 1] = index
    local above = debug.getmetatable(index)
    index = type(above) == "table" and rawget(above, "__index")
  end
  return list
end

local function field(value, name)
  for _, t in ipairs(field_tables(value)) do
    local v = rawget(t, name)
    if v ~= nil then return v end
  end
end

local function add_matching(found, tables, prefix, start, only_functions)
  for _, t in ipairs(tables) do
    for key, v in next, t do
      local fits = type(key) == "string" and key:sub(1, #start) == start and key:match("^[%a_][%w_]*$")
      if fits and (start ~= "" or key:sub(1, 2) ~= "__") and (not only_functions or type(v) == "function") then
        found[prefix .. key] = true
      end
    end
  end
end

--- What a word (a name, or a path of names by . and a last :) could become.
---@param text string
---@param env table?         _G
---@return string[]          sorted
function repl.complete(text, env)
  env = env or _G
  local found = {}
  local path, separator, start = text:match("^(.*)([.:])([%w_]*)$")
  if path then
    local value = env
    for name in path:gmatch("[^.]+") do
      value = field(value, name)
      if value == nil then return {} end
    end
    add_matching(found, field_tables(value), path .. separator, start, separator == ":")
  else
    add_matching(found, {env}, "", text)
    for _, word in ipairs(keywords) do
      if word:sub(1, #text) == text then found[word] = true end
    end
  end
  local list = {}
  for word in pairs(found) do list[#list + 1] = word end
  table.sort(list)
  return list
end

-- ---- reading ----

local function is_incomplete(message)
  return message:sub(-#"<eof>") == "<eof>"
end

--- The chunk of some lines: an expression (also after `=`) or statements.
---@return function?
---@return string? message
---@return boolean? incomplete       more lines could complete it
function repl.compile(text)
  local expression, expected = load("return " .. text:gsub("^%s*=", ""), "=stdin")
  if expression then return expression end
  local chunk, message = load(text, "=stdin")
  if chunk then return chunk end
  local as_expression = is_incomplete(expected)
  if text:match("^%s*=") or as_expression then message = expected end
  return nil, message, as_expression or is_incomplete(message)
end

local function show(...)
  for i = 1, select("#", ...) do io.stdout:write(pretty.value((select(i, ...))), "\n") end
end

local function message_of(e)
  local ok, text = pcall(tostring, e)
  return ok and text or "an error whose tostring fails"
end

-- Runs a chunk; false where it fails.
local function evaluate(chunk)
  local result = table.pack(xpcall(chunk, message_of))
  if result[1] then result = table.pack(pcall(show, table.unpack(result, 2, result.n))) end
  if not result[1] then io.stderr:write(message_of(result[2]), "\n") end
  io.stdout:flush()
  return result[1]
end

-- Reads lines until they are a chunk. Returns nil at the end of input, and the text: a last one that is incomplete too.
local function read_chunk(read)
  local text = read(true)
  if not text then return nil end
  while true do
    local chunk, message, incomplete = repl.compile(text)
    if chunk or not incomplete then return text, chunk, message end
    local line = read(false)
    if not line then return text, nil, message end
    text = text .. "\n" .. line
  end
end

local function is_exit(text)
  local word = text:match("^%s*(%a+)%s*$")
  return (word == "exit" or word == "quit") and _G[word] == nil
end

-- Reads and runs chunks until the end; false where one failed.
local function run_chunks(read, remember)
  local fine = true
  while true do
    local text, chunk, message = read_chunk(read)
    if text == nil or is_exit(text) then return fine end
    if text:match("%S") then
      remember(text)
      if chunk then fine = evaluate(chunk) and fine
      else
        io.stderr:write(message, "\n")
        fine = false
      end
      core.interrupted(true)            -- a Ctrl-C ended that chunk and not the session
    end
  end
end

-- The same on a terminal, where Ctrl-C drops the line that is being typed.
local function session(read, remember)
  while true do
    local ok, e = pcall(run_chunks, read, remember)
    if ok and not core.interrupted(true) then return end
    if not ok and not (type(e) == "table" and e.code == "interrupted") then error(e, 0) end
    core.interrupted(true)
    io.stdout:write("\n")
  end
end

-- ---- the session ----

local function history_path()
  local state, home = os.getenv("XDG_STATE_HOME"), os.getenv("HOME")
  if state and state ~= "" then
    return pcall(core.system.make_folder, state .. "/lop") and state .. "/lop/history" or nil
  end
  return home and home ~= "" and home .. "/.lop_history" or nil
end

local function on_terminal()
  local edit, path = core.edit, nil
  if edit.completer then
    edit.completer(repl.complete)
    path = history_path()
    if path then edit.load(path, HISTORY) end
  end
  io.stdout:write(("lop %s, %s. help() lists what there is, Ctrl-D ends.\n"):format(core.version().version, _VERSION))
  io.stdout:flush()
  local last
  session(function(first) return edit.read(first and "> " or ">> ") end, function(text)
    local line = text:gsub("\n", " ")
    if edit.remember and line ~= last then
      last = line
      edit.remember(line)
      if path then edit.save(path) end  -- at once: a session may end by a signal
    end
  end)
  return 0
end

local function from_pipe()
  return run_chunks(function() return io.stdin:read("l") end, function() end) and 0 or 1
end

--- Runs a session on stdin.
---@return integer           exit status
function repl.run()
  _G.lop = require "lop"
  function _G.help(name) io.stdout:write(help.name(_G.lop, name), "\n") end
  if core.system.terminal("stdin") then return on_terminal() end
  return from_pipe()
end

return repl
