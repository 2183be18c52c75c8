-- bindings/lua/lop/program/options.lua - the command-line options that verbs share. A verb lists their names; what each
-- is is said once, here. Every verb has json, quiet, verbose, threads and help.

local options = {}

options.common = {
  seed = {name = "seed", type = "integer", value = "N", min = 0, help = "seed of all random choices (0)"},
  threads = {name = "threads", type = "integer", value = "N", min = 1, max = 1024,
             help = "threads (the cores this process may use)"},
  memory = {name = "memory", type = "size", value = "SIZE",
            help = "memory to stay within, 4G or 500M (half of what is free)"},
  scratch = {name = "scratch", type = "string", value = "DIR",
             help = "folder for what does not fit into memory between two layers (a nameless file, gone in the end)"},
  images = {name = "images", type = "integer", value = "N", min = 1, help = "images to use"},
  positions = {name = "positions", type = "integer", value = "N", min = 1, word = "auto",
               help = "sampled positions per image (auto)"},
  preprocess = {name = "preprocess", type = "string", value = "P",
                help = "none, unit, imagenet, cifar10, caffe, or mean=127&std=128&order=rgb"},
  data = {name = "data", type = "string", value = "SPEC", help = "data set, KIND:PATH[?key=value&...]"},
  output = {name = "output", short = "o", type = "string", value = "PATH", help = "where the result goes"},
  json = {name = "json", type = "flag", help = "one JSON document on stdout, nothing else"},
  quiet = {name = "quiet", type = "flag", help = "no progress on stderr"},
  verbose = {name = "verbose", type = "flag", help = "more detail; a traceback for unexpected errors"},
  trust = {name = "trust", type = "flag", help = "let recipes read and write files"},
  help = {name = "help", short = "h", type = "flag", help = "this text"},
}

options.everywhere = {"threads", "json", "quiet", "verbose", "help"}

--- A verb's options in full: names become the shared ones, those of every verb are added.
---@param listed (string|table)[]
---@return table[]
function options.complete(listed)
  local all, has = {}, {}
  local function add(option)
    if type(option) == "string" then
      option = options.common[option] or error("no shared option '" .. option .. "'")
    end
    if has[option.name] then return end
    has[option.name] = true
    all[#all + 1] = option
  end
  for _, option in ipairs(listed or {}) do add(option) end
  for _, name in ipairs(options.everywhere) do add(name) end
  return all
end

return options
