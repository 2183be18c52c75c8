-- bindings/lua/lop/verbs/fetch.lua - lop fetch NAME DIR: hands over to the script that fetches data sets.

local core = require "lop.core"

local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The script of the project that this was built in, or one installed beside the Lua files.
local function find_script()
  local folder = package.searchpath("lop", package.path):match("^(.*)/[^/]*$")
  for _, place in ipairs {"/scripts/fetch", "/../../../../../scripts/fetch"} do
    if core.system.kind(folder .. place) == "file" then return folder .. place end
  end
  core.fail("notfound", "fetch: scripts/fetch is neither in lop's project nor installed with it: run it from there")
end

local known = {"cifar10", "mnist"}

local function check_name(name)
  for _, k in ipairs(known) do
    if k == name then return end
  end
  core.fail("usage", ("fetch: unknown data set %s (known: %s)"):format(name, table.concat(known, ", ")))
end

return {
  summary = "fetch a data set (cifar10, mnist) into a folder",
  usage = "fetch NAME DIR",
  positional = {"NAME", "DIR"},
  run = function(_, args)
    check_name(args[1])
    local _, how, code = os.execute(table.concat({"sh", quoted(find_script()), quoted(args[1]), quoted(args[2])}, " "))
    if how == "signal" then core.fail(code == 2 and "interrupted" or "io", "fetch: ended by signal " .. code) end
    if code ~= 0 then core.fail("io", ("fetch: %s could not be fetched into %s"):format(args[1], args[2])) end
    return 0
  end,
}
