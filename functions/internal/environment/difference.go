package environment

// Difference is one thing in which an environment is not what the ledger says of it.
type Difference struct {
	Layer Layer
	// Subject is the stage, the function, or the path of the page.
	Subject string
	Text    string
}

// Layer names a layer.
type Layer string

const (
	LayerFunctions Layer = "functions"
	LayerStage     Layer = "stage"
	LayerSite      Layer = "site"
	LayerEvents    Layer = "events"
)
