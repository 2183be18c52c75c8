-- bindings/lua/lop/sparse.lua - sparse coding: a basis A and codes z for many samples, by alternation (Olshausen and
-- Field, Nature 381, 1996): least sum |x - A z|^2 + eta sum rho(z) + lambda / 2 |A|^2, atoms of norm 1 at most. Channel
-- selection is this with one code shared by all rows.

local check = require "lop.check"
local core = require "lop.core"

local sparse = {}

local CODES = {"rho", "eta", "nu", "tol", "start"}

local function matrix(t, name)
  check.type(t, "lop.tensor", name)
  if #t:shape() ~= 2 then core.fail("shape", ("%s: a matrix expected, got %d dimensions"):format(name, #t:shape())) end
  if t:size() == 0 then core.fail("shape", ("%s is empty: %dx%d"):format(name, table.unpack(t:shape()))) end
  return t
end

-- What core takes of an options table.
local function part(opts, keys)
  local p = {}
  for _, key in ipairs(keys) do p[key] = opts[key] end
  return p
end

--- Codes for a basis.
---@param x lop.tensor        (samples, d), a sample a row
---@param basis lop.tensor    (atoms, d), an atom a row
---@param opts {eta: number, rho: string?, nu: number?, tol: number?, start: lop.tensor?}
---        rho: "l1" |z|, the default; "log" log(1 + z^2); "student-t" (nu + 1) / 2 log(1 + z^2 / nu); start: codes to
---        begin with, zeros where absent
---@return lop.tensor codes   float64 (samples, atoms)
function sparse.codes(x, basis, opts)
  opts = check.options(opts, CODES)
  check.number(opts.eta, "eta", nil, 0)
  local codes = core.sparse_codes(matrix(x, "x"), matrix(basis, "basis"), part(opts, CODES))
  return codes                          -- no tail call: errors name lop.sparse.codes
end

--- The basis for these codes, by regularised least squares.
---@param basis lop.tensor    where to start: norms of 1 at most
---@param opts {lambda: number?}?    (0)
---@return lop.tensor basis   float64 (atoms, d)
function sparse.basis(x, codes, basis, opts)
  opts = check.options(opts, {"lambda"})
  local made = core.sparse_basis(matrix(x, "x"), matrix(codes, "codes"), matrix(basis, "basis"), opts)
  return made
end

--- The objective.
---@param opts {eta: number, rho: string?, nu: number?, lambda: number?}
---@return number
function sparse.objective(x, basis, codes, opts)
  opts = check.options(opts, {"rho", "eta", "nu", "lambda"})
  check.number(opts.eta, "eta", nil, 0)
  local value = core.sparse_objective(matrix(x, "x"), codes, basis, opts)
  return value
end

-- Atoms of norm 1: samples, drawn by the seed; noise in place of those that are zeros or too few.
local function first_basis(x, atoms, seed)
  local samples, d = table.unpack(x:shape())
  local count = math.min(samples, atoms)
  local _, places = core.rand({samples}, {seed = seed}):topk(count)
  local drawn, noise = x:index(1, places:totable()):totable(), core.randn({atoms, d}, {seed = seed + 1}):totable()
  for k = 1, atoms do
    local energy, row = 0, drawn[k] or noise[k]
    for _, v in ipairs(row) do energy = energy + v * v end
    if energy <= 0 then
      row, energy = noise[k], 0
      for _, v in ipairs(row) do energy = energy + v * v end
    end
    for i, v in ipairs(row) do row[i] = v / math.sqrt(energy) end
    drawn[k] = row
  end
  return core.tensor(drawn)
end

local LEARN = {"atoms", "rho", "eta", "nu", "lambda", "rounds", "stop", "seed", "basis", "tol", "progress"}

--- Learns a basis: codes with the basis fixed, the basis with the codes fixed, in turn. The objective never grows.
---@param x lop.tensor        (samples, d)
---@param opts {atoms: integer?, eta: number, rho: string?, nu: number?, lambda: number?, rounds: integer?,
---        stop: number?, seed: integer?, basis: lop.tensor?, tol: number?, progress: function?}
---        atoms: how many, unless a basis to start from is given; else they are drawn from the samples by the seed;
---        rounds: at most (50); stop: once a round gains less than this share of the objective (1e-4); progress:
---        function(what, done, total), false from it stops
---@return {basis: lop.tensor, codes: lop.tensor, objective: number[], rounds: integer}     objective: before, and after
---        each round
function sparse.learn(x, opts)
  opts = check.options(opts, LEARN)
  matrix(x, "x")
  check.number(opts.eta, "eta", nil, 0)
  local seed, rounds = check.integer(opts.seed or 0, "seed", 0), check.integer(opts.rounds or 50, "rounds", 1)
  local stop = check.number(opts.stop or 1e-4, "stop", 0)
  if opts.progress then check.type(opts.progress, "function", "progress") end
  if not opts.basis then check.integer(opts.atoms, "atoms", 1) end
  local basis = opts.basis and matrix(opts.basis, "basis") or first_basis(x, opts.atoms, seed)
  if opts.basis and opts.atoms and opts.atoms ~= basis:shape()[1] then
    core.fail("arg", ("atoms is %d, the basis given has %d"):format(opts.atoms, basis:shape()[1]))
  end
  local coding, goal = part(opts, {"rho", "eta", "nu", "tol"}), part(opts, {"rho", "eta", "nu", "lambda"})
  local codes = core.zeros({x:shape()[1], basis:shape()[1]}, "float64")
  local objective = {core.sparse_objective(x, codes, basis, goal)}
  for round = 1, rounds do
    coding.start = codes
    codes = core.sparse_codes(x, basis, coding)
    basis = core.sparse_basis(x, codes, basis, {lambda = opts.lambda})
    objective[round + 1] = core.sparse_objective(x, codes, basis, goal)
    if opts.progress and opts.progress("sparse coding", round, rounds) == false then break end
    if objective[round] - objective[round + 1] <= stop * objective[round] then break end
  end
  return {basis = basis, codes = codes, objective = objective, rounds = #objective - 1}
end

--- Atoms as one picture, in rows, each stretched to its own range, black between them.
---@param basis lop.tensor    (atoms, height * width)
---@param opts {width: integer?, columns: integer?, scale: integer?}?    width of an atom (its square root); columns of
---        atoms; scale: pixels a value (4)
---@return lop.tensor         uint8 (H, W): save_png
function sparse.picture(basis, opts)
  opts = check.options(opts, {"width", "columns", "scale"})
  local atoms, d = table.unpack(matrix(basis, "basis"):shape())
  local w = check.integer(opts.width or math.floor(math.sqrt(d) + 0.5), "width", 1)
  if d % w ~= 0 then core.fail("arg", ("width is %d: a divisor of the atoms' %d values expected"):format(w, d)) end
  local h, columns = d // w, check.integer(opts.columns or math.ceil(math.sqrt(atoms)), "columns", 1)
  local scale = check.integer(opts.scale or 4, "scale", 1)
  local rows, picture = (atoms + columns - 1) // columns, {}
  for y = 1, rows * (h * scale + 1) + 1 do
    picture[y] = {}
    for x = 1, columns * (w * scale + 1) + 1 do picture[y][x] = 0 end
  end
  for k, atom in ipairs(basis:totable()) do
    local most = 1e-300
    for _, v in ipairs(atom) do
      if v - v ~= 0 then core.fail("arg", ("basis: atom %d has %s: finite values expected"):format(k, v)) end
      most = math.max(most, math.abs(v))
    end
    local top, left = (k - 1) // columns * (h * scale + 1) + 1, (k - 1) % columns * (w * scale + 1) + 1
    for y = 0, h * scale - 1 do
      for x = 0, w * scale - 1 do
        local v = atom[y // scale * w + x // scale + 1]
        picture[top + y + 1][left + x + 1] = math.floor(127.5 + 127.5 * v / most + 0.5)
      end
    end
  end
  return core.tensor(picture, "uint8")
end

return sparse
