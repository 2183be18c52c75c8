-- bindings/lua/lop/zoo/blocks.lua - what several architectures are made of.

local blocks = {}

--- A convolution without bias and its batch norm: under the names given, or NAME.conv and NAME.bn.
---@param x lop.nn.value
---@param names string|string[]      {of the convolution, of the batch norm}
---@param filters integer
---@param kernel integer|integer[]
---@param opts table?                those of nn.conv; epsilon: of the batch norm
---@return lop.nn.value
function blocks.conv_bn(x, names, filters, kernel, opts)
  local own, epsilon = {bias = false}, nil
  for key, v in pairs(opts or {}) do
    if key == "epsilon" then epsilon = v else own[key] = v end
  end
  local list = type(names) == "table" and names or {names .. ".conv", names .. ".bn"}
  own.name = list[1]
  return x:conv(filters, kernel, own):bn {name = list[2], epsilon = epsilon}
end

--- The same, and a ReLU, NAME.relu (of the batch norm's name).
function blocks.conv_bn_relu(x, names, filters, kernel, opts)
  local list = type(names) == "table" and names or {names .. ".conv", names .. ".bn"}
  return blocks.conv_bn(x, list, filters, kernel, opts):relu {name = list[3] or list[2] .. ".relu"}
end

--- A classifier on feature maps: the mean of each channel, then a linear layer.
function blocks.classify(x, name, classes)
  return x:global_avg_pool {name = "avgpool"}:flatten {name = "flatten"}:linear(classes, {name = name})
end

return blocks
