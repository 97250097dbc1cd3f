//! Registers the result of an operation, together with its gradient, in candle's autograd.
//!
//! The result is computed first, on untracked inputs; a custom operation then only returns it and knows how to compute
//! the gradients of the inputs.

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Layout, MetalStorage, Result, Shape,
    Storage, Tensor, bail,
};
use std::sync::Mutex;

/// A computed result to be put into the graph.
pub enum Computed {
    /// Values on the CPU, moved.
    Values(Vec<f32>, Shape),
    /// A tensor on any device, copied.
    Tensor(Tensor),
}

impl Computed {
    /// Returns the result without a gradient.
    pub fn into_tensor(self) -> Result<Tensor> {
        match self {
            Self::Values(values, shape) => {
                Tensor::from_vec(values, shape, &candle_core::Device::Cpu)
            }
            Self::Tensor(tensor) => Ok(tensor),
        }
    }

    fn into_storage(self) -> Result<(Storage, Shape)> {
        match self {
            Self::Values(values, shape) => Ok((Storage::Cpu(CpuStorage::F32(values)), shape)),
            Self::Tensor(tensor) => {
                // A view of a larger storage must not expose all of it.
                let starts_inside = tensor.layout().start_offset() != 0;
                let whole = tensor.is_contiguous() && !starts_inside;
                let tensor = if whole {
                    tensor
                } else {
                    tensor.force_contiguous()?
                };
                let (storage, layout) = tensor.storage_and_layout();
                Ok((storage.try_clone(layout)?, layout.shape().clone()))
            }
        }
    }
}

type Backward<const N: usize> =
    Box<dyn Fn([&Tensor; N], &Tensor, &Tensor) -> Result<[Option<Tensor>; N]> + Send + Sync>;

/// An operation of `N` inputs with a known result.
struct Recorded<const N: usize> {
    name: &'static str,
    result: Mutex<Option<(Storage, Shape)>>,
    backward: Backward<N>,
}

impl<const N: usize> Recorded<N> {
    fn new(name: &'static str, result: Computed, backward: Backward<N>) -> Result<Self> {
        let result = Mutex::new(Some(result.into_storage()?));
        Ok(Self {
            name,
            result,
            backward,
        })
    }

    fn take(&self) -> Result<(Storage, Shape)> {
        let result = self.result.lock().map(|mut result| result.take());
        match result {
            Ok(Some(result)) => Ok(result),
            _ => bail!("the result of `{}` was taken already", self.name),
        }
    }

    fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        match self.take()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => bail!("the result of `{}` is not on the CPU", self.name),
        }
    }

    fn cuda(&self) -> Result<(CudaStorage, Shape)> {
        match self.take()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => bail!("the result of `{}` is not on a CUDA device", self.name),
        }
    }

    fn metal(&self) -> Result<(MetalStorage, Shape)> {
        match self.take()? {
            (Storage::Metal(storage), shape) => Ok((storage, shape)),
            _ => bail!("the result of `{}` is not on a Metal device", self.name),
        }
    }
}

impl CustomOp1 for Recorded<1> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.cuda()
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        self.metal()
    }

    fn bwd(&self, a: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [a] = (self.backward)([a], result, gradient)?;
        Ok(a)
    }
}

impl CustomOp2 for Recorded<2> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.cuda()
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        self.metal()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [a, b] = (self.backward)([a, b], result, gradient)?;
        Ok((a, b))
    }
}

impl CustomOp3 for Recorded<3> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.cuda()
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        self.metal()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = (self.backward)([a, b, c], result, gradient)?;
        Ok((a, b, c))
    }
}

/// Records `result` as an operation on `a`. `backward` receives the input, the result and its gradient.
pub fn record1(
    name: &'static str,
    a: &Tensor,
    result: Computed,
    backward: impl Fn([&Tensor; 1], &Tensor, &Tensor) -> Result<[Option<Tensor>; 1]>
    + Send
    + Sync
    + 'static,
) -> Result<Tensor> {
    if !a.track_op() {
        return result.into_tensor();
    }
    a.apply_op1(Recorded::new(name, result, Box::new(backward))?)
}

/// Records `result` as an operation on `a` and `b`. `backward` receives the inputs, the result and its gradient.
pub fn record2(
    name: &'static str,
    [a, b]: [&Tensor; 2],
    result: Computed,
    backward: impl Fn([&Tensor; 2], &Tensor, &Tensor) -> Result<[Option<Tensor>; 2]>
    + Send
    + Sync
    + 'static,
) -> Result<Tensor> {
    if !a.track_op() && !b.track_op() {
        return result.into_tensor();
    }
    a.apply_op2(b, Recorded::new(name, result, Box::new(backward))?)
}

/// Records `result` as an operation on `a`, `b` and `c`. `backward` receives the inputs, the result and its gradient.
pub fn record3(
    name: &'static str,
    [a, b, c]: [&Tensor; 3],
    result: Computed,
    backward: impl Fn([&Tensor; 3], &Tensor, &Tensor) -> Result<[Option<Tensor>; 3]>
    + Send
    + Sync
    + 'static,
) -> Result<Tensor> {
    if !a.track_op() && !b.track_op() && !c.track_op() {
        return result.into_tensor();
    }
    a.apply_op3(b, c, Recorded::new(name, result, Box::new(backward))?)
}
