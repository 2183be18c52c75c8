-- tests/zoo/nets.lua - what each architecture costs by those who published it: MACs of convolutions and linear layers
-- for one picture, and parameters (running means and variances are none). Where torchvision has the net, the figures
-- are those of its own module with aux_logits = False (torchvision 0.14); resnet56: the CIFAR ResNet of the paper
-- (0.85 M); mobilenet_v1: 569 M and 4.2 M in its paper; xception50: 4450 M in its paper; unet: summed below.
local nets = {
  vgg16 = {15470264320, 138357544}, resnet18 = {1814073344, 11689512}, resnet50 = {4089184256, 25557032},
  resnet56 = {125485696, 853018}, googlenet = {1498376192, 6624904}, inception_v3 = {5713216096, 23834568},
  mobilenet_v1 = {568740352, 4231976}, mobilenet_v2 = {300774272, 3504872}, densenet121 = {2834161664, 7978856},
  squeezenet = {818924576, 1248424}, shufflenet_v2 = {144907992, 2278604},
}

-- Convolutions {channels, filters, taps, side of what they give (transposed: of what they read)}, with biases.
local function sum(layers)
  local macs, params = 0, 0
  for _, l in ipairs(layers) do
    macs = macs + l[1] * l[2] * l[3] * l[4] * l[4]
    params = params + l[1] * l[2] * l[3] + l[2]
  end
  return {macs, params}
end

nets.unet = sum {
  {3, 64, 9, 256}, {64, 64, 9, 256}, {64, 128, 9, 128}, {128, 128, 9, 128}, {128, 256, 9, 64}, {256, 256, 9, 64},
  {256, 512, 9, 32}, {512, 512, 9, 32}, {512, 1024, 9, 16}, {1024, 1024, 9, 16},
  {1024, 512, 4, 16}, {1024, 512, 9, 32}, {512, 512, 9, 32}, {512, 256, 4, 32}, {512, 256, 9, 64}, {256, 256, 9, 64},
  {256, 128, 4, 64}, {256, 128, 9, 128}, {128, 128, 9, 128}, {128, 64, 4, 128}, {128, 64, 9, 256}, {64, 64, 9, 256},
  {64, 2, 1, 256}}

return nets
