//! The values.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Once};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Schema};
use raytree_types::codec;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::node::Node;
use crate::{read, write};

/// A [`RecordBatch`] as a value.
///
/// It is read where it lies, see the [crate's documentation](crate). A clone shares all memory.
#[derive(Clone, PartialEq)]
pub struct Batch(RecordBatch);

/// An array as a value: an [`ArrayRef`].
///
/// It is read where it lies, see the [crate's documentation](crate). A clone shares all memory.
#[derive(Clone)]
pub struct Column(ArrayRef);

impl Column {
    /// An array of a known type.
    ///
    /// ```
    /// use raytree_arrow::{Column, arrow_array::Int64Array};
    ///
    /// let column = Column::new(Int64Array::from(vec![1, 2, 3]));
    /// assert_eq!(column.len(), 3);
    /// ```
    #[must_use]
    pub fn new(array: impl Array + 'static) -> Self {
        Self(Arc::new(array))
    }
}

impl Deref for Batch {
    type Target = RecordBatch;

    fn deref(&self) -> &RecordBatch {
        &self.0
    }
}

impl Deref for Column {
    type Target = ArrayRef;

    fn deref(&self) -> &ArrayRef {
        &self.0
    }
}

impl AsRef<RecordBatch> for Batch {
    fn as_ref(&self) -> &RecordBatch {
        self
    }
}

impl AsRef<dyn Array> for Column {
    fn as_ref(&self) -> &(dyn Array + 'static) {
        &*self.0
    }
}

impl From<RecordBatch> for Batch {
    fn from(batch: RecordBatch) -> Self {
        Self(batch)
    }
}

impl From<Batch> for RecordBatch {
    fn from(batch: Batch) -> Self {
        batch.0
    }
}

impl From<ArrayRef> for Column {
    fn from(array: ArrayRef) -> Self {
        Self(array)
    }
}

impl From<Column> for ArrayRef {
    fn from(column: Column) -> Self {
        column.0
    }
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl fmt::Debug for Batch {
    /// The rows and the columns, without what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} rows of ", self.num_rows())?;
        let fields = self.schema_ref().fields().iter();
        f.debug_map()
            .entries(fields.map(|field| (field.name(), Named(field.data_type()))))
            .finish()?;
        f.write_str(")")
    }
}

impl fmt::Debug for Column {
    /// The rows and the type, without what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({} rows of {})", self.len(), self.data_type())
    }
}

/// A type by its short name.
struct Named<'t>(&'t DataType);

impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

/// How a batch is written.
#[derive(Serialize)]
struct BatchOut<'b> {
    schema: &'b Schema,
    rows: usize,
    columns: Vec<(Option<&'b DataType>, Node)>,
}

/// How it is read.
#[derive(Deserialize)]
struct BatchIn {
    schema: Schema,
    rows: usize,
    /// The type stands here if it is not that of the field to the letter: names of fields within it may differ.
    columns: Vec<(Option<DataType>, Node)>,
}

/// How a column is written.
#[derive(Serialize)]
struct ColumnOut<'c> {
    kind: &'c DataType,
    array: Node,
}

/// How it is read.
#[derive(Deserialize)]
struct ColumnIn {
    kind: DataType,
    array: Node,
}

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        static SAID: Once = Once::new();
        SAID.call_once(codec::declare_viewed::<Self>);
        let schema = self.schema_ref();
        let mut columns = Vec::with_capacity(self.num_columns());
        for (at, array) in self.columns().iter().enumerate() {
            let field = schema.fields().get(at);
            let own = field.is_none_or(|field| field.data_type() != array.data_type());
            let node = write::written(array).map_err(ser::Error::custom)?;
            columns.push((own.then(|| array.data_type()), node));
        }
        BatchOut { schema, rows: self.num_rows(), columns }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let BatchIn { schema, rows, columns } = BatchIn::deserialize(deserializer)?;
        let arrays = columns.into_iter().enumerate().map(|(at, (own, node))| {
            let field = schema.fields().get(at).map(|field| field.data_type());
            let missing = || de::Error::custom(format_args!("there is no field for column {at}"));
            let kind = own.as_ref().or(field).ok_or_else(missing)?;
            read::array(kind, node).map_err(|error| named(at, &schema, &error))
        });
        let arrays = arrays.collect::<Result<_, D::Error>>()?;
        let options =
            RecordBatchOptions::new().with_row_count(Some(rows)).with_match_field_names(false);
        let batch = RecordBatch::try_new_with_options(Arc::new(schema), arrays, &options);
        batch.map(Self).map_err(de::Error::custom)
    }
}

/// What is wrong, with the name of the column.
fn named<E: de::Error>(at: usize, schema: &Schema, error: &arrow_schema::ArrowError) -> E {
    let name = schema.fields().get(at).map_or("", |field| field.name());
    E::custom(format_args!("column {at} (`{name}`): {error}"))
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        static SAID: Once = Once::new();
        SAID.call_once(codec::declare_viewed::<Self>);
        let array = write::written(&self.0).map_err(ser::Error::custom)?;
        ColumnOut { kind: self.data_type(), array }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ColumnIn { kind, array } = ColumnIn::deserialize(deserializer)?;
        read::array(&kind, array).map(Self).map_err(de::Error::custom)
    }
}
