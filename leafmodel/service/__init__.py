"""The tf.data service, TensorFlow's own distributed engine: where it is, and how it is started."""
