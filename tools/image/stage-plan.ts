/** One change to the files of a stage. Paths inside the stage are absolute. */
export type Step =
  | { readonly does: 'make'; readonly folder: string }
  | {
      readonly does: 'copy'
      readonly line: number
      /** The name of a stage; null for the build context. */
      readonly from: string | null
      readonly sources: readonly string[]
      readonly target: string
    }
  | {
      readonly does: 'run'
      readonly line: number
      readonly command: string
      readonly folder: string
      readonly env: Readonly<Record<string, string>>
      /** The folders of cache mounts, which are not part of the image. */
      readonly caches: readonly string[]
    }

export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly user: string
  readonly folder: string
  readonly ports: readonly string[]
  readonly stopSignal: string
  readonly healthcheck: { readonly command: readonly string[]; readonly flags: Readonly<Record<string, string>> } | null
  readonly command: readonly string[] | null
}

export interface StagePlan {
  readonly name: string
  /** The name of an image or of an earlier stage. */
  readonly base: string
  readonly steps: readonly Step[]
  readonly config: ImageConfig
}
