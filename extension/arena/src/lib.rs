//! The allocator: blocks of powers of two from one region, which is reset as soon as no block is in use.
//!
//! The component keeps no state between two calls, so all blocks are freed when a call has ended and its result was
//! read. Each call therefore finds the same memory and takes the same instructions, and the fuel of an event does not
//! depend on earlier events. A general allocator takes 15 to 20 % of an event's time in a native profile.

#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Size of the smallest block in bytes, and alignment of all blocks.
const SMALLEST: usize = 16;
/// Number of block size classes: 16 bytes, 32 bytes, and so on, up to the whole address space.
const CLASSES: usize = 28;
/// Minimum growth of the memory, in pages of 64 KiB.
const GROWTH_PAGES: usize = 16;
const PAGE_BYTES: usize = 64 << 10;

/// The allocator of a WebAssembly module; the comment of the crate describes it.
pub struct Arena(UnsafeCell<Region>);

struct Region {
    /// Start of the unused memory; 0 before the first block.
    next: usize,
    /// End of the memory that this call has requested. Earlier calls may have grown the memory beyond this address.
    end: usize,
    /// Number of blocks in use.
    live: usize,
    /// Free list of each class: the first bytes of a free block contain the address of the next free block.
    free: [*mut u8; CLASSES],
}

// SAFETY: a component has one thread.
unsafe impl Sync for Arena {}

unsafe extern "C" {
    /// End of the linker's data.
    static __heap_base: u8;
    /// End of the initial memory.
    static __heap_end: u8;
}

impl Arena {
    /// Creates an arena that uses all memory after the linker's data.
    pub const fn new() -> Self {
        Arena(UnsafeCell::new(Region { next: 0, end: 0, live: 0, free: [null_mut(); CLASSES] }))
    }
}

impl Region {
    /// Allocates a block from the unused memory; returns null if the memory cannot grow.
    #[inline]
    fn carve(&mut self, bytes: usize, align: usize) -> *mut u8 {
        if self.next == 0 {
            self.next = (&raw const __heap_base).addr().next_multiple_of(SMALLEST);
            self.end = (&raw const __heap_end).addr();
        }
        let at = self.next.next_multiple_of(align.max(SMALLEST));
        let Some(next) = at.checked_add(bytes) else { return null_mut() };
        if next > self.end {
            let pages = next.div_ceil(PAGE_BYTES).max(self.end / PAGE_BYTES + GROWTH_PAGES);
            let missing = pages.saturating_sub(core::arch::wasm32::memory_size(0));
            // Called even for 0 pages, so that every call costs the same fuel.
            if core::arch::wasm32::memory_grow(0, missing) == usize::MAX {
                return null_mut();
            }
            self.end = pages.saturating_mul(PAGE_BYTES);
        }
        self.next = next;
        std::ptr::with_exposed_provenance_mut(at)
    }
}

/// Returns the size class of a layout.
#[inline]
fn class(layout: Layout) -> usize {
    let bytes = layout.size().max(SMALLEST).next_power_of_two();
    (bytes.trailing_zeros() - SMALLEST.trailing_zeros()) as usize
}

// The methods are inlined into the module's allocator: without that, a delivery takes twice the fuel in a block.
// SAFETY: a block has at least the alignment of its layout, and the size of its class is at least the size of the
// layout. A block is reused only after it was freed, or when no block is in use.
unsafe impl GlobalAlloc for Arena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: there is one thread, and this function does not allocate.
        let region = unsafe { &mut *self.0.get() };
        if layout.size() > isize::MAX as usize / 2 {
            return null_mut();
        }
        let class = class(layout);
        let block = region.free[class];
        let block = if block.is_null() || layout.align() > SMALLEST {
            region.carve(SMALLEST << class, layout.align())
        } else {
            // SAFETY: a free block is aligned, is at least a pointer long, and contains the address of the next free
            // block.
            region.free[class] = unsafe { block.cast::<*mut u8>().read() };
            block
        };
        region.live += usize::from(!block.is_null());
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: there is one thread, and this function does not allocate.
        let region = unsafe { &mut *self.0.get() };
        region.live -= 1;
        if region.live == 0 {
            region.next = 0;
            region.free = [null_mut(); CLASSES];
            return;
        }
        let class = class(layout);
        // SAFETY: the block was freed by its owner and is at least a pointer long.
        unsafe { block.cast::<*mut u8>().write(region.free[class]) };
        region.free[class] = block;
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that `bytes` with this alignment is a valid layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        if bytes <= isize::MAX as usize / 2 && class(wanted) == class(layout) {
            return block;
        }
        // SAFETY: the caller guarantees that `block` has `layout`; the new block does not overlap it.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(bytes));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
