/** Who may open a page. `operator` and `viewer`: the operator token opens it, too; `stranger`: nobody is signed in. */
export type Needs = "anybody" | "stranger" | "known" | "viewer" | "operator" | "admin";

export interface Viewer {
  me: { username: string; role: string } | null;
  /** This tab has a token: of the session, or the operator token. */
  token: boolean;
}

const ranks: Record<string, number> = { viewer: 1, operator: 2, admin: 3 };

/** The roles that open a page, in words. */
export function rolesFor(needs: Needs): string {
  const fit = Object.keys(ranks).filter((role) => (ranks[role] ?? 0) >= (ranks[needs] ?? 0));
  return [fit.slice(0, -1).join(", "), ...fit.slice(-1)].filter(Boolean).join(" or ");
}

/** Whether a page is offered; the pool decides by itself what it answers. */
export function mayOpen(needs: Needs, { me, token }: Viewer): boolean {
  const rank = me === null ? (token ? 2 : 0) : (ranks[me.role] ?? 0);
  switch (needs) {
    case "anybody":
      return true;
    case "stranger":
      return me === null;
    case "known":
      return me !== null;
    case "admin":
      // People and what they did: only for somebody whom the trail can name.
      return me?.role === "admin";
    default:
      return rank >= (ranks[needs] ?? 0);
  }
}
