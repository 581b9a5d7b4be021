//! The floor that stepping environments is measured against: CartPole as one would write it in C, in one loop.

/// Environments stepped.
pub(crate) const ENVS: usize = 256;

/// The bare loop: plain arrays, the C library's sine and cosine, one xorshift for everything.
pub(crate) struct Floor {
    state: [[f64; 4]; ENVS],
    steps: [u32; ENVS],
    /// The last observations.
    pub(crate) obs: [[f32; 4]; ENVS],
    /// The last rewards.
    pub(crate) rewards: [f32; ENVS],
    /// Whether the last step ended an episode.
    pub(crate) done: [bool; ENVS],
    random: u64,
}

impl Floor {
    /// Every environment about to be reset.
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self {
            state: [[0.0; 4]; ENVS],
            steps: [0; ENVS],
            obs: [[0.0; 4]; ENVS],
            rewards: [0.0; ENVS],
            done: [true; ENVS],
            random: 88_172_645_463_325_252,
        })
    }

    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// One step of every environment, with a random action.
    pub(crate) fn step(&mut self) {
        for at in 0..ENVS {
            if self.done[at] {
                for number in 0..4 {
                    let unit = (self.next() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0);
                    self.state[at][number] = -0.05 + 0.1 * unit;
                }
                self.steps[at] = 0;
            }
            let force = if (self.next() >> 40) & 1 == 1 { 10.0 } else { -10.0 };
            let [x, x_dot, theta, theta_dot] = self.state[at];
            let (cos, sin) = (theta.cos(), theta.sin());
            let temp = (force + 0.05 * theta_dot * theta_dot * sin) / 1.1;
            let theta_acc = (9.8 * sin - cos * temp) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1));
            let x_acc = temp - 0.05 * theta_acc * cos / 1.1;
            self.state[at] = [
                x + 0.02 * x_dot,
                x_dot + 0.02 * x_acc,
                theta + 0.02 * theta_dot,
                theta_dot + 0.02 * theta_acc,
            ];
            let [x, _, theta, _] = self.state[at];
            self.steps[at] += 1;
            self.done[at] =
                x.abs() > 2.4 || theta.abs() > 0.209_439_510_239_319_53 || self.steps[at] >= 500;
            self.rewards[at] = 1.0;
            self.obs[at] = self.state[at].map(|value| value as f32);
        }
    }
}
