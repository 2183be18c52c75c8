-- bindings/lua/lop/runs/journal.lua - what a run has finished so far, in its folder's journal/: begin.json, how it
-- began; plan.json, the widths; 001.json, 002.json ..., a unit each in the order of work; and the net as of the last of
-- them. Each file appears whole. With it a run that was ended at any time goes on, to the same bytes.

local core = require "lop.core"
local json = require "lop.json"
local record = require "lop.runs.record"
local folders = require "lop.runs.folder"

local journal = {}
journal.__index = journal

local function number_file(self, number, ending)
  return ("%s/%03d.%s"):format(self.path, number, ending)
end

local function read(path)
  local value = record.decode(path)
  if type(value) ~= "table" then core.fail("format", path .. ": is damaged: --force begins anew") end
  return value
end

--- Begins a journal in a folder that may be written to.
---@param folder string
---@param head table          from record.head
function journal.begin(folder, head, text)
  folders.clear(folder)
  core.system.make_folder(folder .. "/journal")
  core.system.write_file(folder .. "/recipe.lua", text)
  record.write(folder .. "/journal/begin.json", head)
  return setmetatable({path = folder .. "/journal", count = 0}, journal)
end

-- Files of this run that are not as they were when it began.
local function check_same(folder, was, now)
  local function refuse(what, way)
    core.fail("arg", ("%s: %s since the run began: %s"):format(folder, what, way or "--force begins anew"))
  end
  local function listed(head)
    local list = {}
    for i, input in ipairs(head.inputs) do list[i] = input.what .. " " .. input.sha256 end
    return table.concat(list, "\n")
  end
  if was.version ~= now.version or was.commit ~= now.commit then refuse "lop itself has changed" end
  if was.cpu_path ~= now.cpu_path then
    refuse("the CPU path has changed", ("LOP_CPU=%s, or --force to begin anew"):format(was.cpu_path))
  end
  if was.blas ~= now.blas then refuse "the BLAS has changed" end
  if json.encode(record.choices(was.recipe.values)) ~= json.encode(record.choices(now.recipe.values)) then
    refuse("the recipe has changed", ("lop run %s --resume takes it as it was, --force begins anew"):format(folder))
  end
  if listed(was) ~= listed(now) then refuse "the model or the data have changed" end
end

--- The journal of a run that was interrupted.
function journal.resume(folder, head)
  local self = setmetatable({path = folder .. "/journal", count = 0}, journal)
  check_same(folder, record.read(self.path .. "/begin.json"), head)
  while core.system.kind(number_file(self, self.count + 1, "json")) do self.count = self.count + 1 end
  if self.count > 0 and not core.system.kind(number_file(self, self.count, "onnx")) then
    core.fail("notfound", ("%s: no such file, the run cannot go on: --force begins anew")
      :format(number_file(self, self.count, "onnx")))
  end
  return self
end

--- What make() returns, or what it returned when the run was here before. Numbers, strings and tables of them.
---@param make fun(): table
---@return table
function journal:plan(make)
  local path = self.path .. "/plan.json"
  if core.system.kind(path) then return read(path) end
  local plan = make()
  record.write(path, plan)
  return plan
end

--- A unit's entry.
---@param number integer      1 to self.count
function journal:entry(number)
  return read(number_file(self, number, "json"))
end

--- The net as of the last entry.
function journal:net()
  return core.load(number_file(self, self.count, "onnx"))
end

--- Adds the next unit's entry, and the net as it is now. The net comes first and goes last: one stands beside the last
--- entry at any time.
---@param entry table
---@param net lop.net
function journal:add(entry, net)
  self.count = self.count + 1
  net:save(number_file(self, self.count, "onnx"))
  record.write(number_file(self, self.count, "json"), entry)
  core.system.remove_file(number_file(self, self.count - 1, "onnx"))
end

--- The run has ended: the net is in its folder.
function journal:finish()
  for _, name in ipairs(core.system.list_folder(self.path)) do
    if name:match("%.onnx$") then core.system.remove_file(self.path .. "/" .. name) end
  end
end

return journal
