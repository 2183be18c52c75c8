-- bindings/lua/lop/cuts/masks.lua - each filter of a convolution at the start of a branch may read channels of its own:
-- filter-wise pruning of He et al., ICCV 2017, section 3.3. The stream stays whole, and so does the layer: zeros stand
-- where a filter reads nothing. What that could save is reported, and counted nowhere. A unit's "width" is how many
-- channels each filter reads; the recipe says it, no budget does.

local core = require "lop.core"
local samplers = require "lop.cuts.samplers"
local solve = require "lop.engine.solve"

local masks = {}

--- The convolutions that a sampler could stand before, as units.
---@return table[]            as from units.find, and kind = "mask"
function masks.find(net)
  local list = {}
  for i, unit in ipairs(samplers.find(net)) do
    unit.kind, unit.name = "mask", unit.producer .. ":mask"
    list[i] = unit
  end
  if #list == 0 then
    core.fail("usage", "residual.input = \"filter-wise\": no convolution reads a residual stream " ..
              "(lop inspect --groups)")
  end
  return list
end

-- How a filter's channels are chosen: by a criterion for each, so neither a list nor a schedule for all.
local function how_of(unit)
  local select = type(unit.select) == "table" and unit.select or {method = unit.select}
  local function refuse(text)
    core.fail("usage", ("%s; for masks alone: layers = {[\"*:mask\"] = {select = \"elimination\"}}")
      :format(text:format(unit.name)))
  end
  if type(select.method) ~= "string" then
    refuse "select.method: '%s' needs a criterion by name, for each of its filters"
  end
  if select.method == "bn-scale" then
    refuse "select.method: '%s' reads a stream, whose channels have no one bn-scale"
  end
  if select.lambda ~= nil then refuse "select.lambda: each filter of '%s' takes the path's own" end
  return select
end

--- Gives a unit the width that the recipe asks for; refuses a selection that is not for single filters.
---@param keep number         share of the layer's input channels
function masks.prepare(unit, keep)
  how_of(unit)
  unit.round_to, unit.min = nil, nil                    -- of shapes, which stay
  unit.fixed = math.max(1, math.floor(unit.width * keep + 0.5))
end

--- Units that a budget counts, and what brings a list of theirs back to all units; of masks it has f(unit), or nil.
---@return table[]
---@return fun(values: table?, f: fun(unit: table)?): table?
function masks.apart(list)
  local counted = {}
  for _, unit in ipairs(list) do counted[#counted + 1] = unit.kind ~= "mask" and unit or nil end
  return counted, function(values, f)
    local all, at = {}, 0
    for i, unit in ipairs(list) do
      if unit.kind == "mask" then
        all[i] = f and f(unit) or nil
      else
        at = at + 1
        all[i] = values and values[at]
      end
    end
    return values and all
  end
end

-- ---- masks as text: a filter a row, four channels a hexadecimal digit, the first of them its highest bit ----

local function rows_of(mask)
  local rows = {}
  for f, list in ipairs(mask:totable()) do
    local digits = {}
    for i = 1, #list, 4 do
      local digit = 0
      for k = i, i + 3 do digit = 2 * digit + (list[k] or 0) end
      digits[#digits + 1] = ("%x"):format(digit)
    end
    rows[f] = table.concat(digits)
  end
  return rows
end

--- The mask that a report has: uint8 (filters, channels).
---@param report {rows: string[], channels: integer}
---@return lop.tensor
function masks.read(report)
  local all = {}
  for f, text in ipairs(report.rows) do
    all[f] = {}
    for i = 1, report.channels do
      all[f][i] = tonumber(text:sub((i + 3) // 4, (i + 3) // 4), 16) >> (3 - (i - 1) % 4) & 1
    end
  end
  return core.tensor(all, "uint8")
end

local function report_of(mask)
  local s = mask:shape()
  local kept = math.tointeger(mask:to("float64"):sum())
  return {filters = s[1], channels = s[2], kept = kept, share = kept / (s[1] * s[2]), rows = rows_of(mask)}
end

-- ---- the cut ----

--- What zeroes a layer of copies of the net and solves the rest, in place.
---@param stats lop.stats     of the layer
---@return fun(net: lop.net, count: integer): number error, table report
function masks.cutter(net, unit, stats, held, opts)
  local layer, select = net:layer(unit.producer), how_of(unit)
  local how = solve.how(layer, held, opts)
  return function(copy, count)
    local mask = stats:mask(count, {weight = layer.weight, method = select.method, seed = opts.seed},
                            select.refine == "swap")
    local weight, bias, err = stats:reconstruct_mask(mask, how)
    solve.set(copy, layer.name, opts, weight, bias)
    return err, report_of(mask)
  end
end

--- Notes the mask of a layer, for what comes to change its filters later.
---@param opts table          masks: by layer, kept: filters that it has left, as the schedule has them
---@param report table        from masks.cutter
function masks.note(opts, name, report)
  local filters = opts.kept[name] or {}
  for f = #filters + 1, opts.kept[name] and #filters or report.filters do filters[f] = f end
  opts.masks[name] = {mask = masks.read(report), filters = filters}
end

--- The mask of a layer as its filters are now; nil where it has none.
---@return lop.tensor?
function masks.of(opts, name)
  local noted = opts.masks and opts.masks[name]
  if not noted then return nil end
  local left, rows = {}, {}
  for _, f in ipairs(opts.kept[name] or noted.filters) do left[f] = true end
  for row, f in ipairs(noted.filters) do rows[#rows + 1] = left[f] and row or nil end
  return #rows < #noted.filters and noted.mask:index(1, rows) or noted.mask
end

-- ---- the report ----

-- MACs of a layer's weights that its mask has no one for.
local function macs_of(layer, pairs_left_out)
  local s = layer.weight:shape()
  return layer.macs // (s[1] * s[2]) * pairs_left_out
end

-- What is said of all masks: {{layer, pairs, kept}, ...}.
local function total_of(list)
  local total = {layers = #list, pairs = 0, kept = 0, macs = 0}
  for _, m in ipairs(list) do
    total.pairs, total.kept = total.pairs + m[2], total.kept + m[3]
    total.macs = total.macs + macs_of(m[1], m[2] - m[3])
  end
  total.share = total.kept / total.pairs
  return #list > 0 and total or nil
end

--- Brings the reports of masks to the filters that are left in the end, and sums them up.
---@param reports table[]     by unit; those of masks have mask
---@return {layers: integer, pairs: integer, kept: integer, share: number, macs: integer}?    macs: of the zeros; nil
---                           where nothing was masked
function masks.settle(net, list, reports, opts)
  local found = {}
  for i, unit in ipairs(list) do
    local mask = unit.kind == "mask" and masks.of(opts, unit.producer)
    if mask then
      local layer, report = net:layer(unit.producer), report_of(mask)
      report.macs = macs_of(layer, report.filters * report.channels - report.kept)
      reports[i].mask, found[#found + 1] = report, {layer, report.filters * report.channels, report.kept}
    end
  end
  return total_of(found)
end

--- The same, foretold from widths.
---@param shrunk lop.net      of these widths
function masks.plan(shrunk, list, widths)
  local found = {}
  for i, unit in ipairs(list) do
    if unit.kind == "mask" and widths[i] < unit.width then
      local layer = shrunk:layer(unit.producer)
      local filters = layer.weight:shape()[1]
      found[#found + 1] = {layer, filters * unit.width, filters * widths[i]}
    end
  end
  return total_of(found)
end

--- A line that says what masks keep, and that they save nothing in the file.
---@param total table         from masks.settle or masks.plan
---@param macs integer        of the net with its zeros
function masks.text(total, macs)
  return ("masks: %d of %d (filter, channel) pairs kept in %d layers (%.1f %%); the others are %d of the %d MACs left, "
          .. "counted in full: zeros stand in the file"):format(total.kept, total.pairs, total.layers,
                                                               100 * total.share, total.macs, macs)
end

return masks
