import { describe, expect, it } from 'vitest';
import { cpuModels, FEATURE, featureNames } from '../../../core/cpu/state/cpuModels.ts';
import { machineConfigurationSchema } from '../../../core/machine/configuration.ts';
import { features, missingFor, modelAnswer, processorHas, processorProblems, type CpuConfiguration } from '../../../core/machine/processor.ts';

type Given = NonNullable<Parameters<typeof machineConfigurationSchema.parse>[0]>;
const cpu = (given: object): CpuConfiguration => machineConfigurationSchema.parse({ cpu: given } as Given).cpu;

describe('what can be said of a processor', () => {
  it('knows every feature once, each with words and a place', () => {
    expect(features.map(({ name }) => name).toSorted()).toEqual([...featureNames].toSorted());
    expect(new Set(features.map(({ place }) => place)).size).toBe(features.length);
    expect(features.find(({ name }) => name === 'SSE42')).toMatchObject({ title: 'SSE4.2: string comparison, CRC32', place: '1 ECX 20' });
    expect(features.find(({ name }) => name === 'NX')?.place).toBe('80000001h EDX 20');
    for (const { name, needs } of features) expect(needs.every((needed) => needed in FEATURE && needed !== name)).toBe(true);
  });

  it.each(Object.keys(cpuModels) as (keyof typeof cpuModels)[])('finds nothing wrong with the model %s', (model) => {
    expect(processorProblems(cpu({ model }))).toEqual([]);
  });

  it('says what a feature needs, down to the first', () => {
    expect(missingFor(cpu({ model: 'pentium' }), 'SSSE3')).toEqual(['FXSR', 'SSE', 'SSE2', 'SSE3']);
    expect(missingFor(cpu({ model: 'pentium3', enable: ['SSE2'] }), 'SSSE3')).toEqual(['SSE3']);
    expect(processorProblems(cpu({ model: 'pentium', enable: ['SSE'] }))).toEqual([
      { feature: 'SSE', answer: null, message: 'SSE needs FXSR.' },
    ]);
    // Taking one away takes the ground from under others.
    const problems = processorProblems(cpu({ model: 'core2', disable: ['SSE3'] }));
    expect(problems).toEqual([{ feature: 'SSSE3', answer: null, message: 'SSSE3 needs SSE3.' }]);
    expect(processorProblems(cpu({ model: 'core2', disable: ['SSE3', 'SSSE3'] }))).toEqual([]);
    expect(processorProblems(cpu({ enable: ['AES'], disable: ['AES'] }))[0]!.message).toBe('AES is both on and off.');
    expect(processorHas(cpu({ model: '486', enable: ['CMOV'] }), 'CMOV')).toBe(true);
  });

  it('finds what is wrong with answers of CPUID', () => {
    const message = (...cpuid: object[]): (string | undefined)[] => {
      const given = { ...cpu({}), cpuid } as CpuConfiguration;
      return cpuid.map((_, index) => processorProblems(given).find(({ answer }) => answer === index)?.message);
    };
    expect(message({ leaf: '7', subLeaf: '0', ebx: 'ff' }, { leaf: '07', subLeaf: '0', ecx: '1' })).toEqual([undefined, expect.stringMatching(/already/)]);
    expect(message({ leaf: 'xyz', subLeaf: '0', ebx: 'ff' })).toEqual([expect.stringMatching(/leaf must be/)]);
    expect(message({ leaf: '1', subLeaf: '', ebx: 'ff' })).toEqual([expect.stringMatching(/subleaf/)]);
    expect(message({ leaf: '1', subLeaf: '0', edx: '123456789' })).toEqual([expect.stringMatching(/EDX/)]);
    expect(message({ leaf: '1', subLeaf: '0' })).toEqual([expect.stringMatching(/No register/)]);
  });

  it('shows what the model answers', () => {
    expect(modelAnswer(cpu({}), '0', '0')?.slice(1)).toEqual(['756e6547', '6c65746e', '49656e69']);
    expect(modelAnswer(cpu({ model: '486' }), '1', '0')![3]).toBe('00000001');
    expect(modelAnswer(cpu({}), 'zz', '0')).toBeNull();
  });
});
