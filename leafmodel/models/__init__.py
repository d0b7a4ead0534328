"""The networks. Each takes raw 0-255 RGB and ends in a softmax over the classes."""
