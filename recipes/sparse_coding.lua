-- recipes/sparse_coding.lua - a basis for patches of natural pictures, learned by sparse coding, as a PNG of its atoms:
-- edges of all directions and sizes (Olshausen and Field, Nature 381, 1996). A script:
-- lop recipes/sparse_coding.lua data=images:DIR [patches=10000] [size=12] [atoms=144] [rho=l1|log|student-t] [eta=0.3]
assert(arg, "a script, not a recipe: lop recipes/sparse_coding.lua KEY=VALUE ...")
local common = dofile((arg[0]:match("^(.*/)") or "") .. "paper/common.lua")

local set = common.settings(arg, {
  data = "images:data/pictures", images = 200, side = 192, patches = 10000, size = 12, atoms = 144, rho = "l1",
  eta = 0.3, nu = 1, lambda = 0.1, rounds = 40, seed = 0, out = "basis.png",
})

-- What stands out from its surroundings: a picture less its blur, as the spectrum of natural ones falls with frequency.
local function sharpen(x)
  local weights, sum = {}, 0
  for i = -4, 4 do
    local row = {}
    for j = -4, 4 do
      row[#row + 1] = math.exp(-(i * i + j * j) / (2 * 1.5 ^ 2))
      sum = sum + row[#row]
    end
    weights[#weights + 1] = row
  end
  local blur = (lop.tensor(weights, "float32") * (1 / sum)):reshape {1, 1, 9, 9}
  return x:narrow(3, 5, set.side - 8):narrow(4, 5, set.side - 8) - lop.conv2d(x, blur)
end

-- The same number of patches from each picture, at places drawn by the seed; each less its mean.
local function patches_of(pictures)
  local each, rows, room = math.ceil(set.patches / #pictures), {}, set.side - 8 - set.size + 1
  for first, x in pictures:batches(1) do
    local sharp = sharpen(x):reshape {set.side - 8, set.side - 8}
    local places = lop.rand({each, 2}, {seed = set.seed * 1000003 + first}):totable()
    for _, place in ipairs(places) do
      local top, left = math.floor(place[1] * room) + 1, math.floor(place[2] * room) + 1
      local patch = sharp:narrow(1, top, set.size):narrow(2, left, set.size):reshape {set.size * set.size}:totable()
      local mean = 0
      for _, v in ipairs(patch) do mean = mean + v / #patch end
      for i, v in ipairs(patch) do patch[i] = v - mean end
      rows[#rows + 1] = patch
    end
  end
  return rows
end

-- All divided by one number, so that a patch has a norm of 1 on average.
local function scaled(rows)
  local energy = 0
  for _, row in ipairs(rows) do
    for _, v in ipairs(row) do energy = energy + v * v / #rows end
  end
  return lop.tensor(rows) * (energy > 0 and 1 / math.sqrt(energy) or 1)
end

local pictures = lop.data(("%s%ssize=%d&channels=1&labels=none"):format(set.data, set.data:find("?", 1, true) and "&"
                          or "?", set.side), {preprocess = "unit"})
if set.images < #pictures then pictures = pictures:take(set.images, set.seed) end
local x = scaled(patches_of(pictures))
local result = lop.sparse.learn(x, {
  atoms = set.atoms, rho = set.rho, eta = set.eta, nu = set.nu, lambda = set.lambda, rounds = set.rounds,
  seed = set.seed, tol = 1e-6,
  progress = function(_, done, total) io.stderr:write(("round %d of %d\n"):format(done, total)) end,
})
lop.sparse.picture(result.basis, {width = set.size}):save_png(set.out)
local used, n = 0, result.codes:size()
for _, row in ipairs(result.codes:totable()) do
  for _, z in ipairs(row) do used = used + (math.abs(z) > 1e-3 and 1 or 0) end
end
print(("%d patches of %dx%d from %d pictures: objective %.4f to %.4f in %d rounds, %.1f of %d atoms a patch: %s")
  :format(x:shape()[1], set.size, set.size, #pictures, result.objective[1], result.objective[#result.objective],
          result.rounds, set.atoms * used / n, set.atoms, set.out))
