// SPDX-License-Identifier: Apache-2.0
import type {Dashboard, DataQuery, Panel} from "@grafana/schema";
import type {Options} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// JSON has the words of an enumeration, not its members.
type Words<T> = T extends string ? `${T}` : T extends object ? {[K in keyof T]: Words<T[K]>} : T;

interface Query extends DataQuery {
  expr: string;
  legendFormat: string;
  range: boolean;
}
type Chart = Omit<Panel, "targets" | "options"> & {type: "timeseries"; targets: Query[]; options: Words<Options>};
export type Shipped = Omit<Dashboard, "panels"> & {panels: Chart[]};
