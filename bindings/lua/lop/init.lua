-- bindings/lua/lop/init.lua - require "lop": the functions of lop.core, and those written in Lua over them.

local core = require "lop.core"

local _, path = ...
local folder = path:match("^(.*/)[^/]*$") or "./"
core.library(folder)                    -- errors name the script's line, not one in here

local hidden = {library = true, nearest = true, interrupted = true, fail = true, metatable = true,
                limited = true, factor_spatial = true, factor_channel = true, scratch = true,
                sparse_codes = true, sparse_basis = true, sparse_objective = true}

local lop = {_VERSION = core._VERSION}
for name, value in pairs(core) do
  if type(value) == "function" and not hidden[name] then lop[name] = value end
end

require("lop.describe").install()

local choose = require "lop.engine.choose"
lop.select, lop.curve, lop.reconstruct = choose.select, choose.curve, choose.reconstruct
lop.sample, lop.lasso = require("lop.sample").run, require("lop.path").new
lop.lambda = require("lop.lambda").schedules
lop.decompose = require "lop.decompose"
lop.sparse = require "lop.sparse"
lop.sparse_coding = lop.sparse.learn
lop.alternation, lop.load_stats, lop.op = nil, nil, nil
for name, operator in pairs(require "lop.functional") do lop[name] = operator end

lop.nn, lop.zoo = require "lop.nn", require "lop.zoo"

--- Sums to add rows to by hand: lop.stats(channels, taps, filters [, about]); lop.stats.load(path) reads saved ones.
lop.stats = setmetatable({load = core.load_stats}, {__call = function(_, ...)
  return core.stats(...)
end})

-- A recipe's table without its model, for a net that is there already.
local function recipe_for(opts)
  local recipe = {model = "(a net)"}
  for key, value in pairs(opts or {}) do recipe[key] = value end
  return require("lop.schema").check(recipe), require("lop.program.output").new {quiet = true}
end

--- Prunes a copy of a net.
---@param net lop.net
---@param opts table          the keys of a recipe but model
---@return lop.net
---@return table report
function lop.prune(net, opts)
  local recipe, out = recipe_for(opts)
  local job = require "lop.job"
  return job.run(recipe, out, job.open(recipe, out, net))
end

--- What lop.prune would do.
---@return table              {groups, macs_before, macs_after}
function lop.plan(net, opts)
  local recipe, out = recipe_for(opts)
  local job = require "lop.job"
  local opened = job.open(recipe, out, net)
  return require("lop.prune").plan(opened.net, opened.set, opened.held, job.options(recipe, opened))
end

--- The error of each group at every width, and the loss of the outputs where it alone is cut (see lop.sensitivity).
---@param opts table          the keys of a recipe but model and budget; losses = false: none are measured
---@return table              {groups = {{name, width, channels, errors, losses, prunable, reason}}, images, held}
function lop.sensitivity(net, opts)
  local keys = {budget = {keep = 1}}
  for key, value in pairs(opts or {}) do keys[key] = value end
  keys.losses = nil
  local recipe, out = recipe_for(keys)
  local job = require "lop.job"
  local opened = job.open(recipe, out, net)
  local how = job.options(recipe, opened)
  how.losses = opts.losses
  return require("lop.sensitivity").run(opened.net, opened.set, opened.held, how)
end

--- Top-1, top-5 and top-1 by class, in percent.
---@return {images: integer, top1: number, top5: number, per_class: number[]}
function lop.evaluate(net, set)
  return require("lop.evaluate").run(net, set)
end

return lop
