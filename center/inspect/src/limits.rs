//! How large a component may be, in every direction in which it can grow. All limits are far below what the engine would
//! take, so that compiling a module costs seconds and kilobytes whatever its author tries.

/// Largest component, bytes. The platform's own analyses have 20 to 120 kB; 8 MiB leave room for an interpreter.
pub const COMPONENT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most core modules.
pub const CORE_MODULES_MAX: u64 = 16;
/// Most components inside the component.
pub const NESTED_COMPONENTS_MAX: u64 = 16;
/// Most functions, over all core modules, imported ones not counted.
pub const FUNCTIONS_MAX: u64 = 20_000;
/// Largest function body, bytes: compile time grows faster than linearly with it.
pub const BODY_BYTES_MAX: u64 = 256 * 1024;
/// Most locals of a function, parameters not counted.
pub const LOCALS_MAX: u64 = 2_000;
/// Most blocks, loops, arms and conditional branches of a function. The largest function of the platform's analyses has
/// 268.
pub const BLOCKS_MAX: u64 = 10_000;
/// Most locals and parameters of a function, times its blocks. Each variable may be another value in each block, and time
/// and memory of the compiler grow with that. The platform's analyses have up to 10,660.
pub const BLOCK_VARIABLES_MAX: u64 = 2_000_000;
/// Most values that blocks, branches and calls of a function pass, for each target. Code that makes every value by an operator
/// of its own passes fewer than it has bytes; more are passed only by code that passes the same ones again and again.
pub const PASSED_VALUES_MAX: u64 = BODY_BYTES_MAX;
/// The same over all functions.
pub const PASSED_VALUES_ALL_MAX: u64 = COMPONENT_BYTES_MAX;
/// Deepest nesting of blocks in a function.
pub const CONTROL_DEPTH_MAX: u64 = 256;
/// Most targets of one `br_table`.
pub const BR_TABLE_TARGETS_MAX: u64 = 4_096;
/// Most types, core and component, over all modules and components.
pub const TYPES_MAX: u64 = 5_000;
/// Deepest nesting of a value type.
pub const TYPE_DEPTH_MAX: u64 = 16;
/// Most nodes of the types of one function written out: shared types can multiply without this.
pub const TYPE_NODES_MAX: u64 = 4_096;
/// Most nodes of all types of the component written out, named types once each.
pub const WORLD_NODES_MAX: u64 = 20_000;
/// Most component or instance types declared inside others, counted on the bytes before any type is read.
pub const NESTED_TYPES_MAX: u64 = 64;
/// Most fields of a record, elements of a tuple, or parameters of a function.
pub const RECORD_FIELDS_MAX: u64 = 256;
/// Most cases of a variant or enum.
pub const VARIANT_CASES_MAX: u64 = 256;
/// Most names of a flags type: what fits one word everywhere.
pub const FLAGS_MAX: u64 = 32;
/// Most globals.
pub const GLOBALS_MAX: u64 = 1_000;
/// Most data segments.
pub const DATA_SEGMENTS_MAX: u64 = 4_096;
/// Most element segments.
pub const ELEMENT_SEGMENTS_MAX: u64 = 1_024;
/// Most exports of a module or component.
pub const EXPORTS_MAX: u64 = 256;
/// Most imports, over all modules and components.
pub const IMPORTS_MAX: u64 = 1_000;
/// Most bytes of custom sections, all together.
pub const CUSTOM_BYTES_MAX: u64 = 256 * 1024;
/// Longest name, bytes: of an import, export, alias or custom section, of a parameter, field, case or flag.
pub const NAME_BYTES_MAX: u64 = 1_024;
/// Most core instances.
pub const CORE_INSTANCES_MAX: u64 = 32;
/// Most component instances and aliases.
pub const COMPONENT_ITEMS_MAX: u64 = 5_000;
/// Most linear memories: one per component is what a run's memory limit is measured on.
pub const MEMORIES_MAX: u64 = 1;
/// Most tables.
pub const TABLES_MAX: u64 = 8;
/// Most elements that tables start with, all together.
pub const TABLE_ELEMENTS_MAX: u64 = 20_000;

/// The limits in force; the constants of this module unless an operator sets less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is documented at the constant of its name")]
pub struct InspectLimits {
    pub component_bytes: u64,
    pub core_modules: u64,
    pub nested_components: u64,
    pub functions: u64,
    pub body_bytes: u64,
    pub locals: u64,
    pub blocks: u64,
    pub block_variables: u64,
    pub passed_values: u64,
    pub passed_values_all: u64,
    pub control_depth: u64,
    pub br_table_targets: u64,
    pub types: u64,
    pub type_depth: u64,
    pub type_nodes: u64,
    pub world_nodes: u64,
    pub nested_types: u64,
    pub record_fields: u64,
    pub variant_cases: u64,
    pub flags: u64,
    pub globals: u64,
    pub data_segments: u64,
    pub element_segments: u64,
    pub exports: u64,
    pub imports: u64,
    pub custom_bytes: u64,
    pub name_bytes: u64,
    pub core_instances: u64,
    pub component_items: u64,
    pub memories: u64,
    pub tables: u64,
    pub table_elements: u64,
}

impl Default for InspectLimits {
    fn default() -> Self {
        Self {
            component_bytes: COMPONENT_BYTES_MAX,
            core_modules: CORE_MODULES_MAX,
            nested_components: NESTED_COMPONENTS_MAX,
            functions: FUNCTIONS_MAX,
            body_bytes: BODY_BYTES_MAX,
            locals: LOCALS_MAX,
            blocks: BLOCKS_MAX,
            block_variables: BLOCK_VARIABLES_MAX,
            passed_values: PASSED_VALUES_MAX,
            passed_values_all: PASSED_VALUES_ALL_MAX,
            control_depth: CONTROL_DEPTH_MAX,
            br_table_targets: BR_TABLE_TARGETS_MAX,
            types: TYPES_MAX,
            type_depth: TYPE_DEPTH_MAX,
            type_nodes: TYPE_NODES_MAX,
            world_nodes: WORLD_NODES_MAX,
            nested_types: NESTED_TYPES_MAX,
            record_fields: RECORD_FIELDS_MAX,
            variant_cases: VARIANT_CASES_MAX,
            flags: FLAGS_MAX,
            globals: GLOBALS_MAX,
            data_segments: DATA_SEGMENTS_MAX,
            element_segments: ELEMENT_SEGMENTS_MAX,
            exports: EXPORTS_MAX,
            imports: IMPORTS_MAX,
            custom_bytes: CUSTOM_BYTES_MAX,
            name_bytes: NAME_BYTES_MAX,
            core_instances: CORE_INSTANCES_MAX,
            component_items: COMPONENT_ITEMS_MAX,
            memories: MEMORIES_MAX,
            tables: TABLES_MAX,
            table_elements: TABLE_ELEMENTS_MAX,
        }
    }
}
