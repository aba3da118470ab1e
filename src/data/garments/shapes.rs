//! Trousers and bags.

use super::super::Rng;
use super::canvas::{Canvas, ellipse};

pub fn trouser(canvas: &mut Canvas, rng: &mut Rng) {
    let waist = rng.uniform_f32(0.26, 0.38);
    let hip = waist + rng.uniform_f32(0.0, 0.1);
    let gap = rng.uniform_f32(0.0, 0.16);
    let ankle = rng.uniform_f32(0.14, 0.34);
    let crotch = rng.uniform_f32(-0.5, -0.25);
    let length =
        if rng.unit_f32() < 0.12 { rng.uniform_f32(0.1, 0.7) } else { rng.uniform_f32(0.85, 0.98) };
    canvas.fill_both(
        &[
            [0.0, -0.95],
            [waist, -0.95],
            [hip, crotch],
            [gap + ankle, length],
            [gap, length],
            [0.01, crotch],
        ],
        1.0,
    );
    if rng.unit_f32() < 0.5 {
        canvas.fill(
            &[[-waist, -0.95], [waist, -0.95], [waist, -0.85], [-waist, -0.85]],
            rng.uniform_f32(0.6, 0.9),
        );
    }
}

pub fn bag(canvas: &mut Canvas, rng: &mut Rng) {
    let top = rng.uniform_f32(-0.45, 0.05);
    let bottom = rng.uniform_f32(0.55, 0.92);
    let top_width = rng.uniform_f32(0.5, 0.9);
    let bottom_width = top_width + rng.uniform_f32(-0.12, 0.15);
    let handle = rng.uniform_f32(0.2, 0.9);
    let reach = rng.uniform_f32(0.3, 0.85) * top_width;
    if rng.unit_f32() < 0.8 {
        let rise = top - handle;
        let lean = 0.7 * reach;
        let width = rng.uniform_f32(0.07, 0.16);
        canvas.stroke(&[[-reach, top], [-lean, rise], [lean, rise], [reach, top]], width, 0.8);
    }
    canvas.fill(
        &[[-top_width, top], [top_width, top], [bottom_width, bottom], [-bottom_width, bottom]],
        1.0,
    );
    if rng.unit_f32() < 0.6 {
        let flap = top + rng.uniform_f32(0.15, 0.5) * (bottom - top);
        canvas.fill(
            &[
                [-top_width, top],
                [top_width, top],
                [0.8 * top_width, flap],
                [-0.8 * top_width, flap],
            ],
            rng.uniform_f32(0.7, 1.15),
        );
        canvas.fill(&ellipse([0.0, flap], [0.08, 0.08]), rng.uniform_f32(0.3, 1.3));
    }
}
