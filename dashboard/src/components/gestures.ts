// Fingers, wheel and keys on a chart, turned into wishes: point at a time, zoom about a time, move.
// Not here: what a wish does.

export type Gestures = {
  /** Points at a place, as a share of the plot's width; null points nowhere. */
  point: (share: number | null) => void;
  /** Zooms by a factor about a place. */
  zoom: (factor: number, share: number) => void;
  /** Moves by a share of the span; positive is later. */
  move: (share: number) => void;
  /** The wheel turned over a chart that isn't active, so the page scrolled instead. */
  passed: () => void;
};

const WHEEL_STEP = 1.0015;
/** A wheel turns at most this far in one event, so that a free-spinning one doesn't leap. */
const WHEEL_MAX = 240;

/** Listens on the plot until the returned function is called; `active` says whether a plain wheel zooms. */
export function listen(plot: HTMLElement, gestures: Gestures, active: () => boolean): () => void {
  const shareOf = (x: number): number => {
    const box = plot.getBoundingClientRect();
    return box.width > 0 ? Math.min(1, Math.max(0, (x - box.left) / box.width)) : 0.5;
  };
  const wheel = (event: WheelEvent): void => {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.shiftKey || sideways) {
      event.preventDefault();
      const turned = event.deltaX || event.deltaY;
      gestures.move(Math.max(-WHEEL_MAX, Math.min(WHEEL_MAX, turned)) / 1_000);
    } else if (event.ctrlKey || event.metaKey || active()) {
      event.preventDefault();
      const turned = Math.max(-WHEEL_MAX, Math.min(WHEEL_MAX, event.deltaY * (event.deltaMode === 1 ? 30 : 1)));
      gestures.zoom(WHEEL_STEP ** turned, shareOf(event.clientX));
    } else {
      gestures.passed();
    }
  };

  const fingers = new Map<number, number>();
  let spread: { apart: number; middle: number } | null = null;
  const measure = (): { apart: number; middle: number } | null => {
    const [a, b] = [...fingers.values()];
    if (a === undefined || b === undefined) return null;
    return { apart: Math.max(24, Math.abs(a - b)), middle: (a + b) / 2 };
  };
  const down = (event: PointerEvent): void => {
    if (event.pointerType === 'mouse') return;
    plot.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event.clientX);
    spread = measure();
    if (fingers.size === 1) gestures.point(shareOf(event.clientX));
  };
  const drag = (event: PointerEvent): void => {
    if (event.pointerType === 'mouse') {
      gestures.point(shareOf(event.clientX));
      return;
    }
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const now = measure();
    if (now && spread) {
      const width = plot.getBoundingClientRect().width || 1;
      gestures.zoom(spread.apart / now.apart, shareOf(now.middle));
      gestures.move((spread.middle - now.middle) / width);
      spread = now;
    } else {
      gestures.point(shareOf(event.clientX));
    }
  };
  const up = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
    spread = measure();
  };

  const leave = (event: PointerEvent): void => {
    if (event.pointerType === 'mouse') gestures.point(null);
  };

  plot.addEventListener('wheel', wheel, { passive: false });
  plot.addEventListener('pointerdown', down);
  plot.addEventListener('pointermove', drag);
  plot.addEventListener('pointerup', up);
  plot.addEventListener('pointercancel', up);
  plot.addEventListener('pointerleave', leave);
  return () => {
    plot.removeEventListener('pointerleave', leave);
    plot.removeEventListener('wheel', wheel);
    plot.removeEventListener('pointerdown', down);
    plot.removeEventListener('pointermove', drag);
    plot.removeEventListener('pointerup', up);
    plot.removeEventListener('pointercancel', up);
  };
}
