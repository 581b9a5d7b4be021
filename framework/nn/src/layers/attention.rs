//! Causal self-attention.

use rand_core::Rng;

use crate::dist::categorical;
use crate::linear::Linear;
use crate::{Layer, TensorSpec};

/// Multi-head self-attention in which each place of a sequence sees itself and what came before (Vaswani et al.
/// 2017), laid out as PyTorch's `MultiheadAttention`.
///
/// Rows are batch-major: the batch times `steps`, `[batch, steps, width]`. Row stability holds for whole sequences.
#[derive(Clone, Debug)]
pub struct CausalAttention {
    width: usize,
    heads: usize,
    steps: usize,
    project: Linear,
    combine: Linear,
    /// Query, key and value of each row, `[rows, 3 * width]`.
    parts: Vec<f32>,
    d_parts: Vec<f32>,
    /// How much each place looks at each, `[batch, heads, steps, steps]`.
    weights: Vec<f32>,
    /// The heads' results before they are combined, `[rows, width]`.
    seen: Vec<f32>,
    d_seen: Vec<f32>,
    scores: Vec<f32>,
}

impl CausalAttention {
    /// Over sequences of `steps` rows of `width` numbers, with `heads` heads (a divisor of `width`).
    pub fn new(width: usize, heads: usize, steps: usize) -> Self {
        assert_eq!(width % heads, 0, "the heads share the width evenly");
        Self {
            width,
            heads,
            steps,
            project: Linear::new(width, 3 * width),
            combine: Linear::new(width, width),
            parts: Vec::new(),
            d_parts: Vec::new(),
            weights: Vec::new(),
            seen: Vec::new(),
            d_seen: Vec::new(),
            scores: Vec::new(),
        }
    }

    /// Where head `head` of part `part` (query, key, value) of row `row` begins.
    fn at(&self, row: usize, part: usize, head: usize) -> usize {
        (row * 3 + part) * self.width + head * (self.width / self.heads)
    }

    fn scale(&self) -> f32 {
        1.0 / ((self.width / self.heads) as f32).sqrt()
    }

    fn pairs(&self, batch: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let heads = self.heads;
        (0..batch * heads).map(move |pair| (pair / heads, pair % heads))
    }

    fn look(&mut self, batch: usize) {
        let (steps, size) = (self.steps, self.width / self.heads);
        for (b, head) in self.pairs(batch) {
            for t in 0..steps {
                let row = b * steps + t;
                let query = &self.parts[self.at(row, 0, head)..][..size];
                for s in 0..=t {
                    let key = &self.parts[self.at(b * steps + s, 1, head)..][..size];
                    self.scores[s] = dot(query, key) * self.scale();
                }
                let weights = &mut self.weights[((b * self.heads + head) * steps + t) * steps..];
                categorical::probs(&self.scores[..=t], &mut weights[..=t]);
                let seen = row * self.width + head * size;
                self.seen[seen..seen + size].fill(0.0);
                for (s, weight) in weights[..=t].iter().enumerate() {
                    let at = ((b * steps + s) * 3 + 2) * self.width + head * size;
                    let value = &self.parts[at..at + size];
                    let seen = &mut self.seen[seen..seen + size];
                    seen.iter_mut().zip(value).for_each(|(seen, v)| *seen += weight * v);
                }
            }
        }
    }

    /// From the cotangents of what was seen to those of queries, keys and values.
    fn look_back(&mut self, batch: usize) {
        let (steps, size) = (self.steps, self.width / self.heads);
        self.d_parts.fill(0.0);
        for (b, head) in self.pairs(batch) {
            for t in 0..steps {
                let row = b * steps + t;
                let weights = &self.weights[((b * self.heads + head) * steps + t) * steps..][..=t];
                let seen = row * self.width + head * size;
                let d_seen = &self.d_seen[seen..seen + size];
                let mut mean = 0.0;
                for (s, weight) in weights.iter().enumerate() {
                    let at = self.at(b * steps + s, 2, head);
                    self.scores[s] = dot(d_seen, &self.parts[at..at + size]);
                    mean += weight * self.scores[s];
                    let d_value = &mut self.d_parts[at..at + size];
                    d_value.iter_mut().zip(d_seen).for_each(|(d, c)| *d += weight * c);
                }
                let query = self.at(row, 0, head);
                for (s, weight) in weights.iter().enumerate() {
                    let d_score = weight * (self.scores[s] - mean) * self.scale();
                    let key = self.at(b * steps + s, 1, head);
                    for i in 0..size {
                        self.d_parts[query + i] += d_score * self.parts[key + i];
                        self.d_parts[key + i] += d_score * self.parts[query + i];
                    }
                }
            }
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Layer for CausalAttention {
    fn inputs(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.width
    }

    fn layout(&self) -> Vec<TensorSpec> {
        let project = self.project.layout().into_iter().map(|mut spec| {
            spec.name = format!("in_proj_{}", spec.name);
            spec
        });
        let base = self.project.param_len();
        let combine = self.combine.layout().into_iter().map(|spec| spec.nested("out_proj", base));
        project.chain(combine).collect()
    }

    fn param_len(&self) -> usize {
        self.project.param_len() + self.combine.param_len()
    }

    fn init(&self, params: &mut [f32], rng: &mut dyn Rng) {
        let (project, combine) = params.split_at_mut(self.project.param_len());
        Layer::init(&self.project, project, rng);
        Layer::init(&self.combine, combine, rng);
    }

    fn prepare(&mut self, params: &[f32]) {
        let (project, combine) = params.split_at(self.project.param_len());
        self.project.prepare(project);
        self.combine.prepare(combine);
    }

    fn forward(&mut self, params: &[f32], x: &[f32], rows: usize, out: &mut [f32]) {
        assert_eq!(rows % self.steps, 0, "rows are the batch times the steps");
        let batch = rows / self.steps;
        self.parts.resize(rows * 3 * self.width, 0.0);
        self.seen.resize(rows * self.width, 0.0);
        self.weights.resize(batch * self.heads * self.steps * self.steps, 0.0);
        self.scores.resize(self.steps, 0.0);
        let (project, combine) = params.split_at(self.project.param_len());
        self.project.forward(project, x, rows, &mut self.parts);
        self.look(batch);
        self.combine.forward(combine, &self.seen, rows, out);
    }

    fn vjp(
        &mut self,
        params: &[f32],
        x: &[f32],
        cotangent: &[f32],
        grad: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let rows = cotangent.len() / self.width;
        self.d_seen.resize(rows * self.width, 0.0);
        self.d_parts.resize(rows * 3 * self.width, 0.0);
        let (project, combine) = params.split_at(self.project.param_len());
        let (project_grad, combine_grad) = grad.split_at_mut(self.project.param_len());
        self.combine.vjp(combine, &self.seen, cotangent, combine_grad, Some(&mut self.d_seen));
        self.look_back(rows / self.steps);
        self.project.vjp(project, x, &self.d_parts, project_grad, dx);
    }
}
