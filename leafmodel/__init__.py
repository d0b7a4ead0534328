"""The leaf classifier that leafbench trains: images, augmentation, pipelines, models, training.

This package never imports `bench`, and importing it (or any of its packages' `__init__`) never
imports TensorFlow: whoever needs Keras imports the module that uses it.
"""
