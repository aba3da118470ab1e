//! Garments with a trunk: one drawing, whose proportions the classes draw from ranges that overlap.

use super::super::Rng;
use super::canvas::Canvas;

/// Proportions of a top in the frame of the canvas; shoulders lie at y = -0.75.
struct Top {
    shoulder: f32,
    chest: f32,
    waist: f32,
    hem: f32,
    /// y of the hem.
    length: f32,
    /// Length of the sleeves; 0 for none.
    sleeve: f32,
    sleeve_width: f32,
    /// How far the sleeves stand off: x per y.
    spread: f32,
    neck: f32,
    neck_depth: f32,
    /// Darkness of a front closure, 0 for none.
    closure: f32,
    /// Depth of lapels, 0 for none.
    lapel: f32,
    /// Lightness of a collar, 0 for none.
    collar: f32,
    /// Darkness of cuffs and hem, 0 for none.
    ribbing: f32,
}

impl Top {
    fn draw(&self, canvas: &mut Canvas) {
        let Top { shoulder, chest, waist, hem, length, neck, .. } = *self;
        let armpit = [chest, -0.3];
        if self.sleeve > 0.0 {
            let norm = (1.0 + self.spread * self.spread).sqrt();
            let (dx, dy) = (self.spread / norm, 1.0 / norm);
            let outer = [shoulder + self.sleeve * dx, -0.72 + self.sleeve * dy];
            let inner =
                [outer[0] - self.sleeve_width * dy, outer[1] + self.sleeve_width * dx * 0.5];
            let inside = [(chest - 0.15).max(0.05), -0.3];
            canvas.fill_both(
                &[[shoulder - 0.2, -0.78], [shoulder, -0.72], outer, inner, inside],
                0.88,
            );
            if self.ribbing > 0.0 && self.sleeve > 0.6 {
                let cuff = 0.1;
                let back = |[x, y]: [f32; 2]| [x - cuff * dx, y - cuff * dy];
                canvas.fill_both(&[back(outer), outer, inner, back(inner)], 1.0 - self.ribbing);
            }
        }
        let middle = (length - 0.3) / 2.0;
        let right = [[neck, -0.86], [shoulder, -0.72], armpit, [waist, middle], [hem, length]];
        let mut outline = vec![[0.0, -0.86 + self.neck_depth]];
        outline.extend(right);
        outline.extend(right.iter().rev().map(|&[x, y]| [-x, y]));
        canvas.fill(&outline, 1.0);

        if self.ribbing > 0.0 {
            let start = length - 0.12;
            canvas.fill(
                &[[-hem, start], [hem, start], [hem, length], [-hem, length]],
                1.0 - self.ribbing,
            );
        }
        if self.lapel > 0.0 {
            let bottom = -0.8 + self.lapel;
            canvas.fill_both(&[[0.0, bottom], [neck, -0.86], [neck + 0.14, -0.7]], 0.75);
        }
        if self.collar > 0.0 {
            let tip = -0.86 + self.neck_depth;
            canvas.fill_both(
                &[[neck, -0.88], [0.02, tip], [neck + 0.08, tip + 0.02]],
                1.0 + self.collar,
            );
        }
        if self.closure > 0.0 {
            let top = -0.84 + self.neck_depth.max(self.lapel);
            canvas.stroke(&[[0.0, top], [0.0, length]], 0.07, 1.0 - self.closure);
        }
    }
}

/// A value of `[lo, hi)` with chance `share`, else 0.
fn sometimes(rng: &mut Rng, share: f32, lo: f32, hi: f32) -> f32 {
    let value = rng.uniform_f32(lo, hi);
    if rng.unit_f32() < share { value } else { 0.0 }
}

pub fn t_shirt(canvas: &mut Canvas, rng: &mut Rng) {
    let chest = rng.uniform_f32(0.4, 0.56);
    Top {
        shoulder: chest + rng.uniform_f32(0.0, 0.08),
        chest,
        waist: chest + rng.uniform_f32(-0.08, 0.03),
        hem: chest + rng.uniform_f32(-0.04, 0.06),
        length: rng.uniform_f32(0.6, 0.9),
        sleeve: rng.uniform_f32(0.3, 0.78),
        sleeve_width: rng.uniform_f32(0.24, 0.34),
        spread: rng.uniform_f32(0.35, 0.9),
        neck: rng.uniform_f32(0.16, 0.28),
        neck_depth: rng.uniform_f32(0.05, 0.25),
        closure: sometimes(rng, 0.06, 0.2, 0.5),
        lapel: 0.0,
        collar: sometimes(rng, 0.12, 0.1, 0.3),
        ribbing: sometimes(rng, 0.15, 0.1, 0.3),
    }
    .draw(canvas);
}

pub fn pullover(canvas: &mut Canvas, rng: &mut Rng) {
    let chest = rng.uniform_f32(0.42, 0.58);
    Top {
        shoulder: chest + rng.uniform_f32(-0.02, 0.06),
        chest,
        waist: chest + rng.uniform_f32(-0.05, 0.05),
        hem: chest + rng.uniform_f32(-0.07, 0.04),
        length: rng.uniform_f32(0.58, 0.88),
        sleeve: rng.uniform_f32(1.0, 1.5),
        sleeve_width: rng.uniform_f32(0.18, 0.3),
        spread: rng.uniform_f32(0.1, 0.45),
        neck: rng.uniform_f32(0.14, 0.25),
        neck_depth: rng.uniform_f32(0.03, 0.18),
        closure: sometimes(rng, 0.08, 0.15, 0.4),
        lapel: 0.0,
        collar: sometimes(rng, 0.1, 0.1, 0.3),
        ribbing: sometimes(rng, 0.65, 0.08, 0.35),
    }
    .draw(canvas);
}

pub fn coat(canvas: &mut Canvas, rng: &mut Rng) {
    let chest = rng.uniform_f32(0.4, 0.56);
    Top {
        shoulder: chest + rng.uniform_f32(0.0, 0.06),
        chest,
        waist: chest + rng.uniform_f32(-0.1, 0.03),
        hem: chest + rng.uniform_f32(-0.02, 0.14),
        length: rng.uniform_f32(0.72, 0.98),
        sleeve: rng.uniform_f32(1.05, 1.5),
        sleeve_width: rng.uniform_f32(0.18, 0.3),
        spread: rng.uniform_f32(0.08, 0.4),
        neck: rng.uniform_f32(0.14, 0.25),
        neck_depth: rng.uniform_f32(0.05, 0.2),
        closure: sometimes(rng, 0.85, 0.2, 0.7),
        lapel: sometimes(rng, 0.7, 0.2, 0.6),
        collar: sometimes(rng, 0.1, 0.1, 0.3),
        ribbing: sometimes(rng, 0.08, 0.08, 0.3),
    }
    .draw(canvas);
}

pub fn shirt(canvas: &mut Canvas, rng: &mut Rng) {
    let chest = rng.uniform_f32(0.4, 0.56);
    let long_sleeves = rng.unit_f32() < 0.6;
    Top {
        shoulder: chest + rng.uniform_f32(0.0, 0.07),
        chest,
        waist: chest + rng.uniform_f32(-0.1, 0.03),
        hem: chest + rng.uniform_f32(-0.04, 0.08),
        length: rng.uniform_f32(0.62, 0.95),
        sleeve: if long_sleeves { rng.uniform_f32(0.9, 1.45) } else { rng.uniform_f32(0.4, 0.9) },
        sleeve_width: rng.uniform_f32(0.18, 0.32),
        spread: rng.uniform_f32(0.1, 0.65),
        neck: rng.uniform_f32(0.14, 0.25),
        neck_depth: rng.uniform_f32(0.08, 0.28),
        closure: sometimes(rng, 0.6, 0.12, 0.45),
        lapel: sometimes(rng, 0.05, 0.2, 0.4),
        collar: sometimes(rng, 0.75, 0.1, 0.4),
        ribbing: sometimes(rng, 0.08, 0.08, 0.3),
    }
    .draw(canvas);
}

pub fn dress(canvas: &mut Canvas, rng: &mut Rng) {
    let chest = rng.uniform_f32(0.26, 0.4);
    let sleeve = sometimes(rng, 0.35, 0.25, 0.7);
    let long_sleeves = rng.unit_f32() < 0.15;
    Top {
        shoulder: chest + rng.uniform_f32(-0.05, 0.05),
        chest,
        waist: chest - rng.uniform_f32(0.02, 0.14),
        hem: chest + rng.uniform_f32(0.0, 0.4),
        length: rng.uniform_f32(0.78, 0.99),
        sleeve: if long_sleeves { rng.uniform_f32(0.9, 1.3) } else { sleeve },
        sleeve_width: rng.uniform_f32(0.14, 0.24),
        spread: rng.uniform_f32(0.15, 0.7),
        neck: rng.uniform_f32(0.12, 0.22),
        neck_depth: rng.uniform_f32(0.05, 0.35),
        closure: sometimes(rng, 0.1, 0.1, 0.4),
        lapel: 0.0,
        collar: sometimes(rng, 0.1, 0.1, 0.3),
        ribbing: 0.0,
    }
    .draw(canvas);
}
