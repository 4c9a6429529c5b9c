import { Component, type ReactNode } from "react";

/** The last net: a fault of the page itself is said in words instead of leaving an empty screen. */
export class Boundary extends Component<{ children: ReactNode }, { fault: string | null }> {
  override state = { fault: null };

  static getDerivedStateFromError(error: unknown) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.fault === null) return this.props.children;
    return (
      <div className="fault" role="alert">
        <h1 className="title">[ PAGE_FAULT ]</h1>
        <p>The dashboard itself failed; the pool is not affected.</p>
        <code>{this.state.fault}</code>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          RELOAD
        </button>
      </div>
    );
  }
}
