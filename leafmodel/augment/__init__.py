"""The claim's augmentation: its numbers, as Keras layers, and as the CPU form of the default."""
