//! Networks and optimisers to and from safetensors files.
//!
//! A file holds every parameter and buffer of each model by its PyTorch-like name, the memory of each optimiser, and
//! a map of strings. The same state gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::{Model, Optimizer, StateError};

/// The parts of a state, each under a prefix (`prefix.name`; an empty one means bare names).
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use raytree_nn::{Activation, Adam, Mlp, Net, State, Model};
/// # use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
/// # let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let mlp = Mlp::new(&[4, 8, 2], Activation::Tanh);
/// let (mut net, mut adam) = (Net::new(mlp.clone(), &mut rng), Adam::default());
/// let notes = BTreeMap::from([("step".to_owned(), "120".to_owned())]);
/// let bytes = State::new().model("", &mut net).optimizer("adam", &mut adam).to_bytes(&notes)?;
///
/// let mut copy = Net::zeroed(mlp);
/// let notes = State::new().model("", &mut copy).load(&bytes)?;
/// assert_eq!((copy.params(), notes["step"].as_str()), (net.params(), "120"));
/// # Ok::<(), raytree_nn::StateError>(())
/// ```
#[derive(Debug, Default)]
pub struct State<'a> {
    models: Vec<(String, &'a mut dyn Model)>,
    optimizers: Vec<(String, &'a mut dyn Optimizer)>,
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl<'a> State<'a> {
    /// No parts yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a model's parameters and buffers.
    #[must_use]
    pub fn model(mut self, prefix: &str, model: &'a mut dyn Model) -> Self {
        self.models.push((prefix.to_owned(), model));
        self
    }

    /// Adds an optimiser's memory.
    #[must_use]
    pub fn optimizer(mut self, prefix: &str, optimizer: &'a mut dyn Optimizer) -> Self {
        self.optimizers.push((prefix.to_owned(), optimizer));
        self
    }

    fn tensors(&mut self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        for (prefix, model) in &mut self.models {
            for spec in model.layout() {
                let values = model.params()[spec.offset..spec.offset + spec.len()].to_vec();
                tensors.push(Tensor { name: path(prefix, &spec.name), shape: spec.shape, values });
            }
            model.visit_buffers(&mut |name, values| {
                let (shape, values) = (vec![values.len()], values.to_vec());
                tensors.push(Tensor { name: path(prefix, name), shape, values });
            });
        }
        for (prefix, optimizer) in &mut self.optimizers {
            optimizer.visit_state(&mut |name, values| {
                let (shape, values) = (vec![values.len()], values.clone());
                tensors.push(Tensor { name: path(prefix, name), shape, values });
            });
        }
        tensors
    }

    /// The whole state as a safetensors file with `notes` as its metadata.
    ///
    /// # Errors
    ///
    /// [`StateError::NotFinite`] for a network that has diverged, [`StateError::DuplicateTensor`] for two parts with
    /// the same prefix.
    pub fn to_bytes(mut self, notes: &BTreeMap<String, String>) -> Result<Vec<u8>, StateError> {
        let mut header = Map::new();
        header.insert("__metadata__".to_owned(), json!(notes));
        let (mut names, mut data) = (BTreeSet::new(), Vec::new());
        for Tensor { name, shape, values } in self.tensors() {
            check_finite(&name, &values)?;
            let start = data.len();
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            let info =
                json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
            if !names.insert(name.clone()) {
                return Err(StateError::DuplicateTensor { tensor: name });
            }
            header.insert(name, info);
        }
        let mut header = serde_json::to_vec(&Value::Object(header))
            .map_err(|source| StateError::Header { source })?;
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.append(&mut header);
        bytes.append(&mut data);
        Ok(bytes)
    }

    /// Takes every part over from a file and returns its metadata. Tensors of the file that belong to no part are
    /// left alone, so that a policy can be read from a checkpoint of a whole learner.
    ///
    /// # Errors
    ///
    /// When the file is damaged or does not fit; then no part was changed.
    pub fn load(mut self, bytes: &[u8]) -> Result<BTreeMap<String, String>, StateError> {
        let unreadable = |source| StateError::NotSafetensors { bytes: bytes.len(), source };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let mut found = BTreeMap::new();
        for (prefix, model) in &mut self.models {
            let mut wanted =
                model.layout().into_iter().map(|s| (s.name, s.shape)).collect::<Vec<_>>();
            model.visit_buffers(&mut |name, values| {
                wanted.push((name.to_owned(), vec![values.len()]));
            });
            for (name, shape) in wanted {
                let name = path(prefix, &name);
                let values = read(&file, &name, &[&shape])?;
                found.insert(name, values);
            }
        }
        let sizes: Vec<_> = self.models.iter().map(|(_, model)| model.params().len()).collect();
        for (prefix, optimizer) in &mut self.optimizers {
            let mut names = Vec::new();
            optimizer
                .visit_state(&mut |name, values| names.push((path(prefix, name), values.len())));
            for (name, len) in names {
                let values = read_memory(&file, &name, len, &sizes)?;
                found.insert(name, values);
            }
        }
        self.apply(&found);
        Ok(header.metadata().clone().unwrap_or_default().into_iter().collect())
    }

    /// Everything is known to fit.
    fn apply(&mut self, found: &BTreeMap<String, Vec<f32>>) {
        for (prefix, model) in &mut self.models {
            for spec in model.layout() {
                if let Some(values) = found.get(&path(prefix, &spec.name)) {
                    let range = spec.offset..spec.offset + spec.len();
                    model.params_mut()[range].copy_from_slice(values);
                }
            }
            model.visit_buffers(&mut |name, values| {
                if let Some(from) = found.get(&path(prefix, name)) {
                    values.copy_from_slice(from);
                }
            });
        }
        for (prefix, optimizer) in &mut self.optimizers {
            optimizer.visit_state(&mut |name, values| {
                if let Some(from) = found.get(&path(prefix, name)) {
                    values.clone_from(from);
                }
            });
        }
    }
}

fn path(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn check_finite(tensor: &str, values: &[f32]) -> Result<(), StateError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => {
            Err(StateError::NotFinite { tensor: tensor.to_owned(), index, value: values[index] })
        }
        None => Ok(()),
    }
}

/// Reads a tensor that has one of the shapes in `allowed`.
fn read(file: &SafeTensors<'_>, name: &str, allowed: &[&[usize]]) -> Result<Vec<f32>, StateError> {
    let missing = |_| StateError::MissingTensor { tensor: name.to_owned() };
    let view = file.tensor(name).map_err(missing)?;
    if view.dtype() != Dtype::F32 {
        let found = format!("{:?}", view.dtype());
        return Err(StateError::WrongType { tensor: name.to_owned(), found });
    }
    if !allowed.contains(&view.shape()) {
        return Err(StateError::WrongShape {
            tensor: name.to_owned(),
            expected: allowed.first().map(|shape| shape.to_vec()).unwrap_or_default(),
            found: view.shape().to_vec(),
        });
    }
    let (numbers, _) = view.data().as_chunks::<4>();
    let values: Vec<_> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    check_finite(name, &values)?;
    Ok(values)
}

/// Reads a part of an optimiser's memory. A memory that is empty here, before the first step, may be empty in the file
/// or as long as the parameters of one of the models.
fn read_memory(
    file: &SafeTensors<'_>,
    name: &str,
    len: usize,
    models: &[usize],
) -> Result<Vec<f32>, StateError> {
    if len == 1 && !models.contains(&1) {
        return read(file, name, &[&[1]]);
    }
    let lens: Vec<[usize; 1]> =
        std::iter::once([len]).chain(models.iter().map(|size| [*size])).chain([[0]]).collect();
    let mut allowed: Vec<&[usize]> = lens.iter().map(<[usize; 1]>::as_slice).collect();
    if len == 0 && models.len() == 1 {
        allowed.rotate_left(1);
    }
    read(file, name, &allowed)
}
