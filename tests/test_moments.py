"""Running moments against NumPy in float64, whatever the batches, their order, an offset, or what a mask leaves out."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ac import moments

SIZES = (1, 37, 4, 200, 2)
EVERY = np.ones(200, bool)


def frames(offset=0.0, shape=(3,)):
    """Batches of frames, float32, each batch from another place and of another spread."""
    rng = np.random.default_rng(0)
    return [
        (offset + rng.normal(i, 1 + i, (size, *shape))).astype(np.float32) for i, size in zip(range(5), SIZES, strict=True)
    ]


def observe_all(batches, masks=None):
    shape = batches[0].shape[1:]
    masks = [EVERY[: len(batch)] for batch in batches] if masks is None else masks
    observed = moments.no_frames(shape)
    for batch, mask in zip(batches, masks, strict=True):
        observed = jax.jit(moments.observe)(observed, jnp.asarray(batch), jnp.asarray(mask))
    return jax.device_get(observed)


def check(observed, seen, **tolerance):
    """Against all frames at once."""
    seen = np.asarray(seen, np.float64)
    assert observed.num_frames == len(seen)
    np.testing.assert_allclose(observed.mean, seen.mean(axis=0), **tolerance)
    np.testing.assert_allclose(observed.variance, seen.var(axis=0), **tolerance)


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::17])
def test_batches_in_any_order(order):
    batches = frames()
    check(observe_all([batches[i] for i in order]), np.concatenate(batches), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_frames_of_any_shape(shape):
    batches = frames(shape=shape)
    observed = observe_all(batches)
    assert observed.mean.shape == observed.variance.shape == shape
    check(observed, np.concatenate(batches), rtol=1e-5, atol=1e-6)


def test_far_from_zero():
    """E[x²] - E[x]² of float32 would leave no digit: x² is 10⁶ with a precision of 0.06; here the variance has four."""
    batches = [(batch / 10).astype(np.float32) for batch in frames(offset=1e4)]
    check(observe_all(batches), np.concatenate(batches), rtol=1e-3)


def test_many_small_batches():
    seen = np.random.default_rng(1).normal(5.0, 2.0, (2000, 8, 3)).astype(np.float32)

    def add(observed, batch):
        return moments.observe(observed, batch, jnp.ones(8, bool)), None

    observed, _ = jax.jit(lambda batches: jax.lax.scan(add, moments.no_frames((3,)), batches))(seen)
    check(jax.device_get(observed), seen.reshape(-1, 3), rtol=1e-4)


def test_what_the_mask_leaves_out_does_not_count():
    rng = np.random.default_rng(2)
    batches = frames()
    masks = [rng.random(size) < 0.5 for size in SIZES]
    for mask in masks:
        mask[0] = True
    for left_out in (1e30, np.nan, np.inf):
        spoiled = [np.where(mask[:, None], batch, np.float32(left_out)) for batch, mask in zip(batches, masks, strict=True)]
        kept = [batch[mask] for batch, mask in zip(batches, masks, strict=True)]
        check(observe_all(spoiled, masks), np.concatenate(kept), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32])
def test_frames_of_whole_numbers(kind):
    seen = np.random.default_rng(3).integers(0, 2 if kind is bool else 200, (300, 2, 2)).astype(kind)
    check(observe_all([seen[:120], seen[120:]], [np.ones(120, bool), np.ones(180, bool)]), seen, rtol=1e-5)


@pytest.mark.parametrize("batch", [(), (5,), (2, 5)])
def test_normalize(batch):
    """In units of the standard deviation, and no further than ten of them."""
    observed = moments.Moments(jnp.float32(7), jnp.array([1.0, -2.0]), jnp.array([4.0, 0.25]))
    seen = np.random.default_rng(4).normal(0, 4, (*batch, 2)).astype(np.float32)
    units = (seen - np.array([1.0, -2.0])) / np.array([2.0, 0.5])
    np.testing.assert_allclose(moments.normalize(observed, seen), np.clip(units, -10, 10), rtol=1e-5)
    far = moments.normalize(observed, jnp.broadcast_to(jnp.array([20.9, -7.1]), (*batch, 2)))
    np.testing.assert_allclose(far, np.broadcast_to([9.95, -10.0], (*batch, 2)), rtol=1e-5)


def test_a_constant_component_is_zero():
    observed = observe_all([np.full((50, 2), 3.0, np.float32)], [EVERY[:50]])
    np.testing.assert_array_equal(observed.variance, 0.0)
    np.testing.assert_array_equal(moments.normalize(observed, jnp.full(2, 3.0)), 0.0)
    np.testing.assert_array_equal(moments.normalize(observed, jnp.full(2, 2.0)), -10.0)  # and a step away, far out


def test_before_any_frame_normalize_only_clips():
    seen = np.array([[-11.0, -9.5], [0.0, 10.5]], np.float32)
    np.testing.assert_array_equal(moments.normalize(moments.no_frames((2,)), seen), np.clip(seen, -10, 10))
