-- bindings/lua/lop/program/cli.lua - the program: picks a verb, a script or the REPL, and turns errors into one line
-- and an exit status.
--
-- A verb is a module lop.verbs.NAME: {summary =, usage =, options = {...}, positional =, least =, rest =, settings =,
-- run = function(opts, args, out) -> exit status}; see lop.program.args for the declaration, lop.program.output for
-- out. A verb that fails raises: core.fail("usage", ...) where the command line is wrong.

local lop = require "lop"               -- first: it says which Lua files are lop's own
local core = require "lop.core"
local args = require "lop.program.args"
local check = require "lop.check"
local help = require "lop.program.help"
local options = require "lop.program.options"
local output = require "lop.program.output"

local cli = {}

local names = {"run", "plan", "prune", "inspect", "exec", "eval", "compare", "bench", "sensitivity", "finetune", "zoo",
               "sweep", "replay", "diff", "fetch", "version", "help"}

local function is_verb(name)
  for _, n in ipairs(names) do
    if n == name then return true end
  end
  return false
end

local function module_of(name)
  local module = "lop.verbs." .. name
  return package.searchpath(module, package.path) and module or nil
end

--- The module of a verb; an error of code "usage" where there is no such verb, "unsupported" where this version lacks
--- it.
---@param name string
---@return table
function cli.verb(name)
  if not is_verb(name) then
    local near = core.nearest(name, names)
    local way = near and "did you mean " .. near .. "?" or "lop help lists them"
    core.fail("usage", ("unknown verb %s (%s)"):format(name, way))
  end
  local module = module_of(name)
  if not module then core.fail("unsupported", name .. ": not in this version (lop help lists what is)") end
  return require(module)
end

--- All verbs of this version, in the order of the help text.
---@return {name: string, verb: table}[]
function cli.verbs()
  local list = {}
  for _, name in ipairs(names) do
    local module = module_of(name)
    if module then list[#list + 1] = {name = name, verb = require(module)} end
  end
  return list
end

-- ---- errors ----

local exits = {usage = 2, interrupted = 130, difference = 3}

local function one_line(text)
  return (text:gsub("%s*[\r\n]+%s*", " "))
end

-- What a caught value says: code, line, function or verb, and its traceback where it was unexpected.
local function describe(e)
  if type(e) == "table" and type(e.code) == "string" then
    local placed = type(e.where) == "string" and e.where ~= ""
    return {code = e.code, message = one_line(placed and tostring(e) or tostring(e.message)), what = e.what}
  end
  return {code = "internal", message = one_line(tostring(e)), what = "lua"}
end

local function handler(e)
  local d = describe(e)
  d.traceback = debug.traceback(d.message, 2)
  return d
end

local function report(d, out, what)
  out:error(d.message)
  if out.verbose then io.stderr:write(d.traceback, "\n") end
  if out.json then
    out:document({error = {code = d.code, message = d.message, what = what or d.what}})
  end
  return exits[d.code] or 1
end

-- Runs f(...) -> exit status; what it raises is reported. about.file: the file that f works on, once it is known.
local function guarded(out, what, about, f, ...)
  local ok, result = xpcall(f, handler, ...)
  if not ok then
    result.message = check.named(about.file, result.message)
    return report(result, out, what)
  end
  out:clear()
  return result or 0
end

-- Whether a flag is among the words, for errors in the words themselves.
local function has_flag(argv, flag)
  for _, word in ipairs(argv) do
    if word == "--" then return false end
    if word == flag then return true end
  end
  return false
end

-- ---- what to run ----

local function run_verb(name, argv, out, about)
  local verb = cli.verb(name)
  if has_flag(argv, "--help") or has_flag(argv, "-h") then
    io.stdout:write(help.verb(name, verb), "\n")
    return 0
  end
  local spec = setmetatable({options = options.complete(verb.options)}, {__index = verb})
  local opts, operands = args.parse(name, spec, argv)
  if opts.threads then core.threads(opts.threads) end
  if opts.scratch and core.system.kind(opts.scratch) ~= "folder" then
    core.fail("notfound", opts.scratch .. ": no such folder (--scratch)")
  end
  core.version()                        -- a wrong LOP_CPU is the command line's fault, whatever the verb
  about.file = #operands == 1 and core.system.kind(operands[1]) == "file" and operands[1] or nil
  return verb.run(opts, operands, out)
end

local function run_script(path, argv)
  local kind = core.system.kind(path)
  if kind == nil then core.fail("notfound", path .. ": no such file") end
  if kind == "folder" then core.fail("io", path .. ": is a folder, a Lua file expected") end
  local chunk, message = loadfile(path)
  if not chunk then core.fail("format", message) end
  _G.lop = lop
  _G.arg = table.move(argv, 1, #argv, 1, {[0] = path})
  chunk(table.unpack(argv))
  return 0
end

local aliases = {["--version"] = "version", ["-v"] = "version", ["--help"] = "help", ["-h"] = "help"}

local function is_script(word)
  return word:match("%.lua$") or (word:find("/", 1, true) and core.system.kind(word) == "file")
end

--- Runs the program.
---@param argv string[]      the words after `lop`
---@return integer           exit status
function cli.main(argv)
  local first = argv[1]
  if not first then
    return guarded(output.new {}, "lop", {}, function() return require("lop.program.repl").run() end)
  end
  local rest = table.move(argv, 2, #argv, 1, {})
  local name = aliases[first] or first
  if not is_verb(name) and is_script(first) then
    return guarded(output.new {}, first, {}, run_script, first, rest)
  end
  local flags = {}
  for _, flag in ipairs {"json", "quiet", "verbose"} do flags[flag] = has_flag(rest, "--" .. flag) end
  local out = output.new(flags)
  local about = {}
  return guarded(out, is_verb(name) and name or "lop", about, run_verb, name, rest, out, about)
end

return cli
