/** What a file says it depends on. */
export interface Manifest {
  /** What else it demands or is, such as "node >=24". */
  readonly about: readonly string[];
  readonly groups: readonly Group[];
  readonly scripts: readonly (readonly [name: string, text: string])[];
}

export interface Group {
  readonly name: string;
  readonly wanted: readonly Wanted[];
}

export interface Wanted {
  readonly name: string;
  /** As it is written; empty where nothing is said. */
  readonly range: string;
}
