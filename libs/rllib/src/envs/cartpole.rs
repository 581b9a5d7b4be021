//! CartPole-v1: balance a pole on a cart by pushing the cart left or right.
//!
//! The dynamics are Gymnasium's (Barto, Sutton and Anderson 1983), in double precision with Euler steps of 0.02 s.

use super::trig::sin_cos;
use crate::env::{Env, Frame, Step};
use crate::register_env;
use crate::rng::Rng;
use crate::space::{Action, Space};

register_env!("CartPole-v1", max_episode_steps = 500, reward_threshold = 475.0, || CartPole::new());

const GRAVITY: f64 = 9.8;
const MASS_POLE: f64 = 0.1;
const MASS_TOTAL: f64 = 1.0 + MASS_POLE;
/// Half the pole's length, in metres.
const LENGTH: f64 = 0.5;
const POLE_MASS_LENGTH: f64 = MASS_POLE * LENGTH;
/// Newtons.
const FORCE: f64 = 10.0;
/// Seconds per step.
const TAU: f64 = 0.02;
/// Metres from the centre at which an episode ends.
const X_LIMIT: f64 = 2.4;
/// Radians from upright at which an episode ends: 12 degrees.
const THETA_LIMIT: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;
/// Each number of the first state lies within this distance of 0.
const RESET_RANGE: f64 = 0.05;

/// CartPole-v1.
///
/// - **Observation:** position (m), speed (m/s), angle (rad), angular speed (rad/s).
/// - **Action:** 0 pushes left, 1 right, with 10 N.
/// - **Reward:** 1 per step.
/// - **Ends** when the cart leaves ±2.4 m or the pole ±12 degrees; registered with 500 steps, solved at 475.
/// - **Starts** with each number uniform in ±0.05.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CartPole {
    state: [f64; 4],
}

impl CartPole {
    /// An upright pole at rest; [`reset`](Env::reset) begins an episode.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Position (m), speed (m/s), angle (rad), angular speed (rad/s).
    #[must_use]
    pub const fn state(&self) -> [f64; 4] {
        self.state
    }

    /// A cart in the given [`state`](Self::state).
    #[must_use]
    pub const fn with_state(state: [f64; 4]) -> Self {
        Self { state }
    }

    #[inline]
    fn observe(&self, obs: &mut [f32]) {
        if let Some(obs) = obs.first_chunk_mut::<4>() {
            *obs = self.state.map(|value| value as f32);
        }
    }
}

/// The state 0.02 s later.
#[inline]
fn advance([x, x_dot, theta, theta_dot]: [f64; 4], force: f64) -> [f64; 4] {
    let (sin, cos) = sin_cos(theta);
    let temp = (force + POLE_MASS_LENGTH * (theta_dot * theta_dot) * sin) / MASS_TOTAL;
    let theta_acc = (GRAVITY * sin - cos * temp)
        / (LENGTH * (4.0 / 3.0 - MASS_POLE * (cos * cos) / MASS_TOTAL));
    let x_acc = temp - POLE_MASS_LENGTH * theta_acc * cos / MASS_TOTAL;
    [x + TAU * x_dot, x_dot + TAU * x_acc, theta + TAU * theta_dot, theta_dot + TAU * theta_acc]
}

impl Env for CartPole {
    fn observation_space(&self) -> Space {
        let high = [2.0 * X_LIMIT, f64::INFINITY, 2.0 * THETA_LIMIT, f64::INFINITY];
        let high = high.map(|bound| bound as f32);
        Space::bounded_box(&high.map(|bound| -bound), &high)
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    #[inline]
    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        for value in &mut self.state {
            *value = rng.range(-RESET_RANGE, RESET_RANGE);
        }
        self.observe(obs);
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, _rng: &mut Rng, obs: &mut [f32]) -> Step {
        // A table instead of a branch: actions of a good policy are hard to predict.
        let force = [-FORCE, FORCE][usize::from(action.discrete() == 1)];
        self.state = advance(self.state, force);
        self.observe(obs);
        let [x, _, theta, _] = self.state;
        let fallen = (x.abs() > X_LIMIT) | (theta.abs() > THETA_LIMIT);
        Step { reward: 1.0, terminated: fallen, truncated: false }
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(self.state.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        let bytes: [u8; 32] = snapshot
            .try_into()
            .map_err(|_| format!("a CartPole is 32 bytes, not {}", snapshot.len()))?;
        for (value, bytes) in self.state.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *value = f64::from_le_bytes(*bytes);
        }
        Ok(())
    }

    fn render(&self) -> Option<Frame> {
        Some(draw(self.state))
    }

    fn render_text(&self) -> Option<String> {
        Some(write(self.state))
    }
}

/// A picture of 240 x 160 pixels, 40 pixels per metre; the pole is drawn longer than it is.
fn draw([x, _, theta, _]: [f64; 4]) -> Frame {
    const METRE: f64 = 40.0;
    const FLOOR: f64 = 124.0;
    let mut frame = Frame::new(240, 160, [250, 250, 248]);
    let cart = 120.0 + x * METRE;
    frame.fill_rect(0.0, FLOOR, 240.0, FLOOR + 1.0, [90, 90, 90]);
    for edge in [-X_LIMIT, X_LIMIT] {
        let edge = 120.0 + edge * METRE;
        frame.fill_rect(edge - 1.0, FLOOR - 6.0, edge + 1.0, FLOOR + 7.0, [200, 60, 50]);
    }
    frame.fill_rect(cart - 20.0, FLOOR - 10.0, cart + 20.0, FLOOR + 10.0, [45, 55, 72]);
    let hinge = (cart, FLOOR - 10.0);
    let reach = 2.0 * LENGTH * METRE * 1.9;
    let tip = (hinge.0 + reach * theta.sin(), hinge.1 - reach * theta.cos());
    frame.line(hinge, tip, 7.0, [202, 152, 101]);
    frame.fill_disc(hinge.0, hinge.1, 3.5, [129, 132, 203]);
    frame
}

/// Five lines of at most 61 columns: the pole over the track.
fn write([x, _, theta, _]: [f64; 4]) -> String {
    const WIDTH: usize = 61;
    let column = |x: f64| {
        ((x / X_LIMIT * 0.5 + 0.5) * (WIDTH - 1) as f64).round().clamp(0.0, (WIDTH - 1) as f64)
            as usize
    };
    let mark = if theta > 0.05 {
        '/'
    } else if theta < -0.05 {
        '\\'
    } else {
        '|'
    };
    let mut text = String::new();
    for height in (1..=4).rev() {
        let at = column(x + f64::from(height) * 0.25 * (4.0 * theta).tan().clamp(-2.0, 2.0));
        text.extend(std::iter::repeat_n(' ', at));
        text.push(mark);
        text.push('\n');
    }
    let mut track = vec!['-'; WIDTH];
    let at = column(x).clamp(2, WIDTH - 3);
    track[at - 2..=at + 2].copy_from_slice(&['[', 'o', '=', 'o', ']']);
    text.extend(track);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_show_cart_and_pole() {
        let cart = CartPole::with_state([1.0, 0.0, 0.2, 0.0]);
        let frame = cart.render().unwrap();
        assert_eq!((frame.width(), frame.height()), (240, 160));
        assert_eq!(
            frame.pixel(160, 130),
            Some([45, 55, 72]),
            "the cart is 1 m right of the centre"
        );
        assert_eq!(frame.pixel(169, 70), Some([202, 152, 101]), "the pole leans right");
        expect_test::expect![[r#"
                                                                   /
                                                                /
                                                             /
                                                          /
            -----------------------------------------[o=o]---------------"#]]
        .assert_eq(&cart.render_text().unwrap());
        assert!(CartPole::with_state([f64::NAN; 4]).render_text().is_some());
    }

    #[test]
    fn a_snapshot_is_the_state() {
        let cart = CartPole::with_state([1.0, -2.0, 0.2, f64::MIN_POSITIVE]);
        let mut other = CartPole::new();
        other.restore(&cart.snapshot().unwrap()).unwrap();
        assert_eq!(other, cart);
        assert!(other.restore(&[0; 31]).is_err());
        assert_eq!(other, cart);
    }
}
