// The comparison of two engines, as whoever starts one sees it; `engine.ts` has the comparison itself.
import type { CompareHost, CompareOptions, CompareResult } from '../debugger/compare/compareEngines.ts';

export type {
  CompareHost,
  CompareOptions,
  CompareProgress,
  CompareResult,
  Divergence,
} from '../debugger/compare/compareEngines.ts';
export { divergenceText } from '../debugger/compare/divergenceText.ts';

export type EngineComparer = (options: CompareOptions, host: CompareHost) => Promise<CompareResult>;
