"""The bottom itself: mud, sand, ripples, gravel, rock and their mixtures, anywhere on the ground."""

import math
from dataclasses import dataclass

import numpy as np

from app.sonar.simulator.textures import Field, Texture

BOTTOMS = ("mud", "sand", "ripples", "gravel", "rock", "mixed")

_ROUGHNESS = {"mud": 0.35, "sand": 0.7, "ripples": 0.7, "gravel": 1.3, "rock": 1.6, "mixed": 0.9}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ripples:
    """Sand waves: crests of one wavelength, bent by a texture, present where the mask says."""

    wavelength_m: float
    height_m: float
    angle_rad: float
    bend: Texture
    bend_m: float
    mask: Texture
    cover: float
    """Threshold on the mask: -3 everywhere, 1 in patches."""

    def at(self, x_m: Field, y_m: Field, cell_m: float) -> Field:
        """Height of the waves; crests steeper on one side."""
        shift = self.bend.at(x_m, y_m, cell_m) * self.bend_m
        along = x_m * math.cos(self.angle_rad) + y_m * math.sin(self.angle_rad) + shift
        phase = along * np.float32(2 * math.pi / self.wavelength_m)
        phase += 0.35 * np.sin(phase)
        here = np.clip(self.mask.at(x_m, y_m, cell_m) - self.cover, 0, 0.5) * 2
        return np.asarray(np.sin(phase) * here * (self.height_m / 2), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lumps:
    """Stones or outcrops: a texture cut at a level, what stands above it being solid."""

    texture: Texture
    level: float
    height_m: float

    def at(self, x_m: Field, y_m: Field, cell_m: float) -> Field:
        """Height of what stands above the level."""
        above = np.maximum(self.texture.at(x_m, y_m, cell_m) - self.level, 0)
        return np.asarray(np.sqrt(above) * self.height_m, dtype=np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seabed:
    """A bottom without objects."""

    swell: Texture
    swell_m: float
    micro: Texture
    micro_m: float
    tint: Texture
    """Slow change of reflectivity."""
    tint_strength: float
    grain: Texture
    """Fast change of reflectivity, about the size of a pixel."""
    grain_strength: float
    patch: Texture
    patch_contrast: float
    """Logarithm of the energy ratio of two bottoms that meet, 0 for one bottom."""
    patch_level: float
    ripples: Ripples | None = None
    lumps: tuple[Lumps, ...] = ()

    def at(self, x_m: Field, y_m: Field, cell_m: float) -> tuple[Field, Field]:
        """Height in metres and reflected energy against plain sand, each (P, X)."""
        height = self.swell.at(x_m, y_m, cell_m) * self.swell_m
        height += self.micro.at(x_m, y_m, cell_m) * self.micro_m
        # Waves shorter than three cells are only noise on this grid.
        if self.ripples is not None and self.ripples.wavelength_m > 3 * cell_m:
            height += self.ripples.at(x_m, y_m, cell_m)
        log_energy = self.tint.at(x_m, y_m, cell_m) * self.tint_strength
        log_energy += self.grain.at(x_m, y_m, cell_m) * self.grain_strength
        if self.patch_contrast:
            edge = np.clip((self.patch.at(x_m, y_m, cell_m) - self.patch_level) * 5, -0.5, 0.5)
            log_energy += edge * self.patch_contrast
        for lump in self.lumps:
            stones = lump.at(x_m, y_m, cell_m)
            height += stones
            log_energy += 0.4 * (stones > 0.02)
        return height, np.exp(log_energy)


def draw_seabed(rng: np.random.Generator, bottom: str, cell_m: float) -> Seabed:
    """A seabed of one kind (`BOTTOMS`), its finest grain about the size of a cell."""
    rough = _ROUGHNESS[bottom] * float(rng.uniform(0.6, 1.5))
    micro_texel_m = float(np.exp(rng.uniform(np.log(0.03), np.log(0.3)))) + 0.5 * cell_m
    rippled = bottom == "ripples" or (bottom == "mixed" and rng.random() < 0.6)
    return Seabed(
        swell=Texture.draw(rng, int(rng.integers(4, 6)), float(rng.uniform(0.15, 0.9)) + cell_m),
        swell_m=float(rng.uniform(0.01, 0.12)) * rough,
        micro=Texture.draw(rng, int(rng.integers(1, 4)), micro_texel_m),
        micro_m=0.02 * rough * micro_texel_m / 0.1,
        tint=Texture.draw(rng, int(rng.integers(3, 6)), float(rng.uniform(0.2, 1.5)) + cell_m),
        tint_strength=float(rng.uniform(0.0, 0.35)),
        grain=Texture.draw(rng, int(rng.integers(0, 2)), cell_m * float(rng.uniform(0.7, 2.5))),
        grain_strength=float(rng.uniform(0.0, 0.35)) * rough,
        patch=Texture.draw(rng, int(rng.integers(3, 6)), float(rng.uniform(0.2, 1.2)) + cell_m),
        patch_contrast=float(rng.uniform(0.6, 2.0)) if bottom == "mixed" else 0.0,
        patch_level=float(rng.uniform(-0.8, 0.8)),
        ripples=_draw_ripples(rng, cell_m, everywhere=bottom == "ripples") if rippled else None,
        lumps=_draw_lumps(rng, bottom, cell_m),
    )


def _draw_ripples(rng: np.random.Generator, cell_m: float, *, everywhere: bool) -> Ripples:
    wavelength_m = max(float(np.exp(rng.uniform(np.log(0.4), np.log(6.0)))), 4 * cell_m)
    return Ripples(
        wavelength_m=wavelength_m,
        # Steepness of real ripples: height a tenth to a thirtieth of the wavelength.
        height_m=min(wavelength_m * float(rng.uniform(0.02, 0.09)), 0.4),
        angle_rad=float(rng.uniform(0, np.pi)),
        bend=Texture.draw(rng, 4, wavelength_m * float(rng.uniform(0.15, 0.6))),
        bend_m=wavelength_m * float(rng.uniform(0.1, 0.5)),
        mask=Texture.draw(rng, 4, float(rng.uniform(0.3, 1.0)) + cell_m),
        cover=-5.0 if everywhere and rng.random() < 0.6 else float(rng.uniform(-0.5, 0.8)),
    )


def _draw_lumps(rng: np.random.Generator, bottom: str, cell_m: float) -> tuple[Lumps, ...]:
    lumps: list[Lumps] = []
    if bottom == "gravel" or (bottom in ("rock", "mixed", "sand") and rng.random() < 0.3):
        size_m = max(float(rng.uniform(0.1, 0.5)), 1.2 * cell_m)
        lumps.append(
            Lumps(
                texture=Texture.draw(rng, int(rng.integers(0, 2)), size_m),
                level=float(rng.uniform(1.8, 2.9)),
                height_m=float(rng.uniform(0.05, 0.5)) * size_m,
            )
        )
    if bottom == "rock" or (bottom == "mixed" and rng.random() < 0.4):
        lumps.append(
            Lumps(
                texture=Texture.draw(
                    rng, int(rng.integers(2, 4)), float(rng.uniform(0.08, 0.4)) + cell_m / 2
                ),
                level=float(rng.uniform(0.5, 2.2)),
                height_m=float(rng.uniform(0.1, 0.7)),
            )
        )
    return tuple(lumps)
