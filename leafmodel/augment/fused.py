"""The claim's five augmentation layers as one: every pixel is resampled once instead of thrice.

The stock layers (`leafmodel.augment.stock`) flip, translate, rotate and zoom one after the other
(Keras 3.15, `keras/src/layers/preprocessing/image_preprocessing/random_*.py`). Each maps a place of
its output to a place of its input, about the centre c = ((width - 1) / 2, (height - 1) / 2):

    zoom     c + z (p - c)          rotation     c + R (p - c)
    flip     c - (p - c)            translation  p - d

so the place of the first input that a place p of the last output shows is, with f = -1 where the
image is flipped and 1 where it is not,

    c + f (z R (p - c) - d)

which is affine, and is resampled here at once. Drawn alike, the two agree within the error of
interpolation wherever no layer looked beyond a border. Beyond it the stock layers reflect three
times, each its own input; here the image is reflected once.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, NamedTuple

import keras
from keras.src.layers.preprocessing.data_layer import DataLayer

from leafmodel.augment.claim import CLAIM, Augmentation

WHITE = 255.0


class Draw(NamedTuple):
    """What a batch is varied by: tensors of shape (images,), float32.

    Attributes:
        flip: -1 where an image is flipped both ways (`RandomFlip` draws one flip for both), else 1.
        shift_x: to the right, as a share of the width.
        shift_y: downwards, as a share of the height.
        angle: of rotation, in radians; an image turns counter-clockwise as it grows.
        zoom: input pixels an output pixel: above 1 the content shrinks.
        contrast: about each channel's mean over the resampled image.
    """

    flip: Any
    shift_x: Any
    shift_y: Any
    angle: Any
    zoom: Any
    contrast: Any


@keras.saving.register_keras_serializable(package="leafmodel")
class FusedAugmentation(DataLayer):
    """Flip, translation, rotation, zoom and contrast in one pass: a layer for images in 0-255.

    Takes (height, width, channels) or a batch of them, of any number type; gives float32 in 0-255.
    In a model, and (being a Keras `DataLayer`) in a tf.data `map` under every backend. Its defaults
    are the claim's numbers. Outside training it only converts to float32; as with the stock layers,
    a call that does not say otherwise is training.

    Raises:
        ValueError: a strength that is no share; see `Augmentation`.
    """

    def __init__(
        self,
        translation: float = CLAIM.translation,
        rotation: float = CLAIM.rotation,
        zoom: float = CLAIM.zoom,
        contrast: float = CLAIM.contrast,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")  # half precision has too few digits for coordinates
        super().__init__(**kwargs)
        self.strength = Augmentation(translation, rotation, zoom, contrast)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)
        # XLA has no kernel for the operation with which TensorFlow resamples.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def call(self, images: Any, training: bool = True) -> Any:
        """The images as float32, in training each varied by a draw of its own."""
        images = self.backend.cast(images, self.compute_dtype)
        if not training:
            return images
        if len(images.shape) == 4:
            return self.augment(images, self.draw(self.backend.shape(images)[0]))
        return self.augment(images[None], self.draw(1))[0]

    def draw(self, images: Any) -> Draw:
        """New random numbers for so many images, distributed as the stock layers draw them."""
        # One call for all: each also reads and advances the state of the generator.
        uniform = self.backend.random.uniform(
            (images, len(Draw._fields)),
            minval=-1.0,
            maxval=1.0,
            seed=self._get_seed_generator(self.backend.name),
        )
        flip, x, y, angle, zoom, contrast = (uniform[:, i] for i in range(len(Draw._fields)))
        strength = self.strength
        return Draw(
            flip=self.backend.numpy.where(flip <= 0.0, -1.0, 1.0),
            shift_x=strength.translation * x,
            shift_y=strength.translation * y,
            angle=2.0 * math.pi * strength.rotation * angle,
            zoom=1.0 + strength.zoom * zoom,
            contrast=1.0 + strength.contrast * contrast,
        )

    def augment(self, images: Any, draw: Draw) -> Any:
        """(images, height, width, channels) float32 in 0-255, varied as drawn; pure."""
        _, height, width, _ = self.backend.shape(images)
        moved = self.backend.image.affine_transform(
            images,
            self.transforms(draw, height, width),
            interpolation="bilinear",
            fill_mode="reflect",
            data_format="channels_last",
        )
        ops = self.backend.numpy
        mean = ops.mean(moved, axis=(1, 2), keepdims=True)
        contrast = ops.reshape(draw.contrast, (-1, 1, 1, 1))
        return ops.clip(moved * contrast + mean * (1.0 - contrast), 0.0, WHITE)

    def transforms(self, draw: Draw, height: Any, width: Any) -> Any:
        """The eight numbers an image of `keras.ops.image.affine_transform`, (images, 8)."""
        ops = self.backend.numpy
        height, width = (self.backend.cast(side, "float32") for side in (height, width))
        centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
        cosine = draw.flip * draw.zoom * ops.cos(draw.angle)
        sine = draw.flip * draw.zoom * ops.sin(draw.angle)
        offset_x = centre_x - (cosine * centre_x - sine * centre_y)
        offset_y = centre_y - (sine * centre_x + cosine * centre_y)
        none = ops.zeros_like(cosine)
        return ops.stack(
            [
                *(cosine, -sine, offset_x - draw.flip * draw.shift_x * width),
                *(sine, cosine, offset_y - draw.flip * draw.shift_y * height),
                *(none, none),
            ],
            axis=1,
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape stays."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again, its random state aside."""
        return {**super().get_config(), **asdict(self.strength), "seed": self.seed}
