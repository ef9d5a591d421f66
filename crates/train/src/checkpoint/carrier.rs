//! What is trained, as named lists of numbers, and back again.
use super::file::{Contents, Data};
use crate::{params::State, rng::Rng};
use anyhow::{Context, Result, ensure};
use std::{cell::RefCell, rc::Rc};
use tch::{Device, Kind, Tensor};

/// Something that can go on later, in another process, as if nothing had happened.
pub trait Resumable {
    /// Names everything that steps change and later steps depend on. One function for both ways, so that what is written
    /// and what is read cannot differ.
    ///
    /// # Errors
    /// In reading: what is not there or does not fit.
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()>;
}

/// Carries values into a checkpoint or out of it.
#[derive(Debug)]
pub struct Carrier {
    prefix: String,
    contents: Contents,
    reads: bool,
}

impl Carrier {
    /// All that `subject` consists of.
    pub(super) fn written(subject: &mut dyn Resumable) -> Result<Contents> {
        let mut carrier = Self { prefix: String::new(), contents: Contents::new(), reads: false };
        subject.carry(&mut carrier)?;
        Ok(carrier.contents)
    }

    /// Puts what was written in place of what `subject` consists of.
    pub(super) fn read(contents: Contents, subject: &mut dyn Resumable) -> Result<()> {
        let mut carrier = Self { prefix: String::new(), contents, reads: true };
        subject.carry(&mut carrier)?;
        let left = carrier.contents.keys().next();
        ensure!(left.is_none(), "nothing takes {:?}", left.map_or("", String::as_str));
        Ok(())
    }

    /// Whether values come from a checkpoint.
    pub fn reads(&self) -> bool {
        self.reads
    }

    /// A part of what is carried.
    ///
    /// # Errors
    /// As of the part, with its name.
    pub fn part(&mut self, name: &str, part: &mut dyn Resumable) -> Result<()> {
        let before = self.prefix.len();
        self.prefix += name;
        self.prefix += "/";
        let done = part.carry(self);
        self.prefix.truncate(before);
        done
    }

    /// Numbers of which there are always as many.
    ///
    /// # Errors
    /// In reading: numbers that are not there, are of another type, or are more or fewer.
    pub fn slice<T: Number>(&mut self, name: &str, values: &mut [T]) -> Result<()> {
        if !self.reads {
            return self.put(name, T::data(values.to_vec()));
        }
        let found: Vec<T> = self.take(name)?;
        let (have, need) = (found.len(), values.len());
        ensure!(have == need, "{:?} has {have} numbers, but {need} are needed", self.name(name));
        values.copy_from_slice(&found);
        Ok(())
    }

    /// Numbers of which there may be any.
    ///
    /// # Errors
    /// In reading: numbers that are not there or are of another type.
    pub fn list<T: Number>(&mut self, name: &str, values: &mut Vec<T>) -> Result<()> {
        if !self.reads {
            return self.put(name, T::data(values.clone()));
        }
        *values = self.take(name)?;
        Ok(())
    }

    /// One number.
    ///
    /// # Errors
    /// As of [`slice`](Self::slice).
    pub fn number<T: Number>(&mut self, name: &str, value: &mut T) -> Result<()> {
        self.slice(name, std::slice::from_mut(value))
    }

    /// A count.
    ///
    /// # Errors
    /// As of [`slice`](Self::slice).
    pub fn count(&mut self, name: &str, value: &mut usize) -> Result<()> {
        let mut wide = *value as u64;
        self.number(name, &mut wide)?;
        *value = usize::try_from(wide)?;
        Ok(())
    }

    /// Yes or no.
    ///
    /// # Errors
    /// As of [`slice`](Self::slice).
    pub fn flag(&mut self, name: &str, value: &mut bool) -> Result<()> {
        let mut count = usize::from(*value);
        self.count(name, &mut count)?;
        *value = count != 0;
        Ok(())
    }

    /// The values of an f32 tensor, which keeps its place in memory, shape and device.
    ///
    /// # Errors
    /// As of [`slice`](Self::slice).
    pub fn tensor(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        let _guard = tch::no_grad_guard();
        ensure!(tensor.kind() == Kind::Float, "{:?} is {:?}", self.name(name), tensor.kind());
        let mut values = Vec::new();
        if !self.reads {
            values = crate::memory::to_vec(tensor);
        }
        self.list(name, &mut values)?;
        if self.reads {
            let (have, need) = (values.len(), tensor.numel());
            ensure!(have == need, "{:?} has {have} numbers, but {need} are needed", self.name(name));
            tensor.shallow_clone().copy_(&Tensor::from_slice(&values).reshape(tensor.size()));
        }
        Ok(())
    }

    /// Named f32 tensors; those that are read are new ones, on the CPU.
    ///
    /// # Errors
    /// As of [`list`](Self::list); shapes that do not fit the numbers.
    pub fn tensors(&mut self, name: &str, state: &mut State) -> Result<()> {
        let mut names = state.keys().map(String::as_str).collect::<Vec<_>>().join("\n").into_bytes();
        self.list(&format!("{name}.names"), &mut names)?;
        let names = String::from_utf8(names)?;
        if self.reads {
            *state = State::new();
        }
        for own in names.split('\n').filter(|own| !own.is_empty()) {
            let place = format!("{name}/{own}");
            if !self.reads {
                let mut shape = state[own].size();
                self.list(&format!("{place}.shape"), &mut shape)?;
                self.tensor(&place, &state[own])?;
                continue;
            }
            let mut shape: Vec<i64> = Vec::new();
            self.list(&format!("{place}.shape"), &mut shape)?;
            let tensor = Tensor::empty(&shape, (Kind::Float, Device::Cpu));
            self.tensor(&place, &tensor)?;
            state.insert(own.into(), tensor);
        }
        Ok(())
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn put(&mut self, name: &str, data: Data) -> Result<()> {
        let name = self.name(name);
        ensure!(!self.contents.contains_key(&name), "two values are called {name:?}");
        self.contents.insert(name, data);
        Ok(())
    }

    fn take<T: Number>(&mut self, name: &str) -> Result<Vec<T>> {
        let name = self.name(name);
        let data = self.contents.remove(&name).with_context(|| format!("nothing is called {name:?}"))?;
        T::values(data).with_context(|| format!("{name:?} are numbers of another kind"))
    }
}

/// A kind of number that can be carried.
pub trait Number: Copy {
    #[doc(hidden)]
    fn data(values: Vec<Self>) -> Data;
    #[doc(hidden)]
    fn values(data: Data) -> Option<Vec<Self>>;
}

macro_rules! numbers {
    ($($kind:ty => $variant:ident),*) => {$(
        impl Number for $kind {
            fn data(values: Vec<Self>) -> Data {
                Data::$variant(values)
            }
            fn values(data: Data) -> Option<Vec<Self>> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
        }
    )*};
}
numbers!(f32 => F32, f64 => F64, u8 => U8, u32 => U32, u64 => U64, i64 => I64);

impl Resumable for () {
    fn carry(&mut self, _: &mut Carrier) -> Result<()> {
        Ok(())
    }
}

impl<T: Resumable + ?Sized> Resumable for &mut T {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        (**self).carry(carrier)
    }
}

impl<T: Resumable> Resumable for Option<T> {
    /// What is there, or is not, is so on both ways.
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.iter_mut().try_for_each(|part| part.carry(carrier))
    }
}

impl<T: Resumable> Resumable for Rc<RefCell<T>> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.borrow_mut().carry(carrier)
    }
}

impl Resumable for Rng {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        let mut state = serde_json::to_vec(self)?;
        carrier.list("stream", &mut state)?;
        if carrier.reads() {
            *self = serde_json::from_slice(&state)?;
        }
        Ok(())
    }
}

macro_rules! tuples {
    ($($name:ident $place:tt),*) => {
        impl<$($name: Resumable),*> Resumable for ($($name,)*) {
            fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
                $(carrier.part(stringify!($place), &mut self.$place)?;)*
                Ok(())
            }
        }
    };
}
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
