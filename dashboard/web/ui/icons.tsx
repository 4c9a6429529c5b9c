/** Line icons of the status cards, drawn here so that they look the same on every system. */
const paths = {
  hashrate: "M3 17l5-6 4 3 6-9 3 4",
  shares: "M4 12h4l2-6 4 12 2-6h4",
  miners: "M4 20l9-9M11 5c4-1 7 0 9 2-3 0-5 1-6 3l-4-4c0 0 0-1 1-1z",
  network: "M12 3v5M5 20l5-7M19 20l-5-7M12 8a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  blocks: "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9",
  conversion: "M4 5h16l-6 8v6l-4-2v-4z",
  active: "M7 7h10v10H7zM10 2v4M14 2v4M10 18v4M14 18v4M2 10h4M2 14h4M18 10h4M18 14h4",
  staged: "M4 8l8-4.500 8 4.500v8.500L12 21l-8-4.500zM4 8l8 4.500L20 8M8 5.700l8 4.500v4",
  migration: "M4 8h14l-4-4M20 16H6l4 4",
  health: "M12 20C5 15 3 11.500 4 8.500S9.500 5 12 8.500C14.500 5 19 5.500 20 8.500S19 15 12 20z",
  upload: "M12 15V4M8 8l4-4 4 4M4 15v5h16v-5",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
