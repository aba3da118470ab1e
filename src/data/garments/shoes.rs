//! Shoes in profile, toe to the left or, rarely, to the right.

use super::super::Rng;
use super::canvas::{Canvas, Point};

/// Turns the toe to the right by negating x.
fn turned(points: &[Point], turn: bool) -> Vec<Point> {
    points.iter().map(|&[x, y]| if turn { [-x, y] } else { [x, y] }).collect()
}

fn toe_right(rng: &mut Rng) -> bool {
    rng.unit_f32() < 0.25
}

pub fn sneaker(canvas: &mut Canvas, rng: &mut Rng) {
    let turn = toe_right(rng);
    let ground = rng.uniform_f32(0.3, 0.5);
    let height = rng.uniform_f32(0.42, 0.85);
    shoe(canvas, rng, turn, ground, height, 0.0);
}

pub fn boot(canvas: &mut Canvas, rng: &mut Rng) {
    let turn = toe_right(rng);
    let ground = rng.uniform_f32(0.5, 0.85);
    let height = rng.uniform_f32(0.75, 1.5);
    let heel = if rng.unit_f32() < 0.5 { rng.uniform_f32(0.05, 0.35) } else { 0.0 };
    shoe(canvas, rng, turn, ground, height, heel);
}

/// A closed shoe: `height` of the shaft above the ground, `heel` below the sole.
fn shoe(canvas: &mut Canvas, rng: &mut Rng, turn: bool, ground: f32, height: f32, heel: f32) {
    let sole = rng.uniform_f32(0.06, 0.16);
    let toe = rng.uniform_f32(0.18, 0.34);
    let shaft = rng.uniform_f32(0.0, 0.3);
    let lean = rng.uniform_f32(-0.06, 0.06);
    let instep = ground - (0.55 * height).max(toe + 0.08);
    let top = ground - height;
    let arch = ground - heel * 0.4;
    canvas.fill(
        &turned(
            &[
                [-0.95, arch],
                [-0.93, ground - toe],
                [-0.7, ground - toe - 0.06],
                [shaft - 0.16, instep],
                [shaft + lean, top],
                [0.84 + lean, top + rng.uniform_f32(-0.06, 0.06)],
                [0.9, ground - 0.3 * height],
                [0.92, arch],
            ],
            turn,
        ),
        1.0,
    );
    let tone = rng.uniform_f32(0.5, 1.35);
    canvas.fill(
        &turned(
            &[[-0.97, ground - sole], [0.94, ground - sole], [0.94, ground], [-0.95, ground]],
            turn,
        ),
        tone,
    );
    if heel > 0.0 {
        canvas.fill(
            &turned(
                &[[0.45, ground], [0.94, ground], [0.9, ground + heel], [0.58, ground + heel]],
                turn,
            ),
            0.8,
        );
    }
    let n_laces = rng.below(5);
    for lace in 0..n_laces {
        let along = (lace as f32 + 0.5) / n_laces as f32;
        let x = -0.55 + along * (shaft + 0.45);
        let y = ground - toe - 0.08 + along * (instep - ground + toe + 0.06);
        canvas.stroke(
            &turned(&[[x, y], [x + 0.12, y + 0.14]], turn),
            0.05,
            rng.uniform_f32(0.4, 1.4),
        );
    }
    if rng.unit_f32() < 0.4 {
        let x = rng.uniform_f32(-0.3, 0.4);
        canvas.stroke(
            &turned(&[[x, ground - sole], [x + 0.3, ground - 0.35 * height - sole]], turn),
            0.1,
            rng.uniform_f32(0.4, 1.4),
        );
    }
}

pub fn sandal(canvas: &mut Canvas, rng: &mut Rng) {
    let turn = toe_right(rng);
    let ground = rng.uniform_f32(0.3, 0.6);
    let sole = rng.uniform_f32(0.08, 0.2);
    let heel = if rng.unit_f32() < 0.5 { rng.uniform_f32(0.15, 0.55) } else { 0.0 };
    let height = rng.uniform_f32(0.45, 1.0);
    let back = ground - heel;
    canvas.fill(
        &turned(
            &[
                [-0.95, ground],
                [-0.95, ground - sole],
                [-0.3, ground - sole],
                [0.9, back - sole],
                [0.92, back],
                [-0.1, ground],
            ],
            turn,
        ),
        1.0,
    );
    if heel > 0.0 {
        let width = rng.uniform_f32(0.08, 0.35);
        canvas.fill(
            &turned(
                &[[0.9 - width, back - 0.02], [0.92, back], [0.88, ground], [0.8, ground]],
                turn,
            ),
            0.85,
        );
    }
    let width = rng.uniform_f32(0.07, 0.18);
    let n_straps = 1 + rng.below(4);
    for strap in 0..n_straps {
        let x = -0.8 + 1.2 * strap as f32 / n_straps as f32 + rng.uniform_f32(-0.08, 0.08);
        let rise = ground - sole - rng.uniform_f32(0.2, 0.5);
        let end = x + rng.uniform_f32(0.2, 0.5);
        let floor = ground - sole - (heel * ((end + 0.3) / 1.2)).max(0.0);
        let middle = [(x + end) / 2.0, rise.min(floor - 0.12)];
        canvas.stroke(&turned(&[[x, ground - sole], middle, [end, floor]], turn), width, 0.9);
    }
    if rng.unit_f32() < 0.7 {
        let top = back - height;
        let front = rng.uniform_f32(0.15, 0.5);
        canvas.stroke(
            &turned(
                &[[0.86, back - sole], [0.84, top], [front, top + 0.1], [0.4, back - sole]],
                turn,
            ),
            width,
            0.9,
        );
    }
}
